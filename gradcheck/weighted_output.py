"""The number that is differentiated: a function's output, weighted and summed, along a line."""

import warnings
from collections.abc import Callable

import numpy

from kvnet.backend import to_numpy

from . import central_differences, complex_step
from .differentiable_function import DifferentiableFunction, on_device_of
from .function_noise import noise_of, points_beside
from .kinks import one_sided_slopes
from .rounding import FACTOR


class WeightedOutput:
    """``L = sum(d_output * output)`` as a function of how far one input is moved, in float64.

    Parameters
    ----------
    function : DifferentiableFunction
    d_output : array
        The weights.
    floors : dict of int to float
        For each free leaf, the size of the terms that cancel in its gradient.
    rng : numpy.random.Generator

    Attributes
    ----------
    noise : float
        Standard deviation of L's rounding errors.
    refusal : str or None
        Why forward cannot be differentiated by a complex step; None where it can.
    """

    def __init__(
        self,
        function: DifferentiableFunction,
        d_output: numpy.ndarray,
        floors: dict[int, float],
        rng: numpy.random.Generator,
    ):
        self.function, self.floors = function, floors
        self.leaves = function.widened()
        self.d_output = d_output.astype("float64")
        output, _ = function(self.leaves)
        # A kernel may compute in float32 whatever it is given; then that is how well L is known.
        self.epsilon = float(numpy.finfo(output.dtype).eps)
        rounding = self.epsilon * float(abs(self.d_output * output).sum())
        self.noise = max(rounding, self._measured_noise(rng))
        # All free leaves, not only the moved one: a forward may mix them in one array.
        self._complex_leaves = list(self.leaves)
        for place in function.free:
            self._complex_leaves[place] = self.leaves[place].astype("complex128")
        self.refusal = self._refusal()

    def along(self, place: int, direction: numpy.ndarray) -> Callable:
        """Return the function ``t -> L`` with leaf number `place` at ``x + t direction``."""
        x = self.host(place)

        def moved(t):
            return self._value(place, x + t * direction)

        return moved

    def along_entry(self, place: int, index: tuple[int, ...]) -> Callable:
        """Return the function ``t -> L`` with one entry of leaf number `place` at ``x + t``."""
        x = self.host(place)

        def moved(t):
            y = x.astype(type(t))
            y[index] += t
            return self._value(place, y)

        return moved

    def slope(self, moved: Callable, place: int, by_complex_step: bool) -> tuple[float, float]:
        """Differentiate such a function at zero: (slope, error)."""
        if by_complex_step:
            return complex_step.derivative(moved)
        # Three differences extrapolated leave an error of the order of h⁶ and a rounding error of
        # ε / h; the two meet near h = ε^(1/7), which is 6e-3 in float64.
        first_step = self.epsilon ** (1 / 7) * self._step_scale(place)
        return central_differences.derivative(moved, first_step, *self._noise(place))

    def complex_step_noise(self, place: int, rng: numpy.random.Generator) -> float:
        """Bound the rounding error, in norm, of a leaf's gradient by complex step.

        A slope along a normally distributed direction is off by about as much as the gradient is in
        norm, so how it changes with other roundings shows that.
        """
        step = 1j * complex_step.STEP * rng.standard_normal(self.host(place).shape)
        slopes = []
        for moved in self._arrays_beside(rng, sides=1):
            stepped = {other: x + (step if other == place else 0j) for other, x in moved.items()}
            slopes.append(self._weighted(self._with(stepped)).imag / complex_step.STEP)
        return FACTOR * noise_of(slopes)

    def kink(self, moved: Callable, place: int) -> tuple[float, float] | None:
        """Return such a function's slopes left and right of zero where they differ."""
        scale = self._coarser() * self._step_scale(place)
        return one_sided_slopes(moved, scale, *self._noise(place))

    def has_kink(self, rng: numpy.random.Generator) -> bool:
        """Tell whether L has a kink here, by moving every entry of every leaf at once."""
        free = self.function.free
        directions = {place: rng.standard_normal(self.host(place).shape) for place in free}

        def moved(t):
            stepped = {place: self.host(place) + t * directions[place] for place in free}
            return self._weighted(self._with(stepped)).item()

        return self.kink(moved, max(free, key=self._largest)) is not None

    def host(self, place: int) -> numpy.ndarray:
        """Return a leaf in float64 on the host."""
        return numpy.asarray(to_numpy(self.leaves[place]))

    def _step_scale(self, place):
        # Functions bend over distances near 1 even far out, as exp does; beyond a thousand the step
        # grows with x all the same, because x + h is rounded.
        return max(1.0, self._largest(place) / 1024)

    def _noise(self, place):
        # Where terms of the gradient cancel, so do terms of L, and their rounding may not show.
        hidden = self.epsilon * self.floors[place]
        return self.epsilon * self._largest(place), max(self.noise, hidden)

    def _largest(self, place):
        return float(abs(self.host(place)).max(initial=0.0))

    def _value(self, place, array):
        leaves = list(self._complex_leaves if array.dtype.kind == "c" else self.leaves)
        leaves[place] = on_device_of(leaves[place], array)
        return self._weighted(leaves).item()

    def _weighted(self, leaves):
        output, _ = self.function(leaves)
        return (self.d_output * output).sum()

    def _measured_noise(self, rng):
        values = []
        for moved in self._arrays_beside(rng, sides=2):
            values.append(self._weighted(self._with(moved)))
        return noise_of(values)

    def _with(self, arrays):
        leaves = list(self.leaves)
        for place, x in arrays.items():
            leaves[place] = on_device_of(leaves[place], x)
        return leaves

    def _arrays_beside(self, rng, sides):
        free = self.function.free
        lines = [points_beside(self.host(place), self.epsilon, rng, sides) for place in free]
        return [dict(zip(free, moved, strict=True)) for moved in zip(*lines, strict=True)]

    def _coarser(self):
        return (self.epsilon / numpy.finfo("float64").eps) ** 0.5  # 1 unless L is in float32

    def _refusal(self):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", numpy.exceptions.ComplexWarning)
                output, _ = self.function(self._complex_leaves)
        except (
            Exception
        ) as error:  # forward has just run on real numbers: complex ones are at fault
            return f"{type(error).__name__}: {error}"
        return None if output.dtype.kind == "c" else "it returns real numbers for complex ones"
