"""The scalar that is differentiated: the weighted sum of a function's output."""

import warnings
from collections.abc import Callable

import numpy

from kvnet.backend import to_numpy
from kvnet.gradcheck import central_differences, complex_step
from kvnet.gradcheck.differentiable_function import DifferentiableFunction, on_device_of
from kvnet.gradcheck.function_noise import estimate_noise, nearby_points
from kvnet.gradcheck.kinks import one_sided_slopes
from kvnet.gradcheck.rounding import FACTOR


class WeightedOutput:
    """``L = sum(d_output * output)`` in float64, as a function of one leaf at a time.

    Parameters
    ----------
    function : DifferentiableFunction
    d_output : array
        The weights.
    floors : dict of int to float
        Size of the terms that cancel in the gradient, by index of the differentiable leaf.
    rng : numpy.random.Generator

    Attributes
    ----------
    noise : float
        Standard deviation of L's rounding errors.
    complex_step_fault : str or None
        The reason why forward cannot be differentiated by a complex step; None if it can.
    """

    def __init__(
        self,
        function: DifferentiableFunction,
        d_output: numpy.ndarray,
        floors: dict[int, float],
        rng: numpy.random.Generator,
    ):
        self.function, self.floors = function, floors
        self.leaves = function.float64_leaves()
        self.d_output = d_output.astype("float64")
        output, _ = function(self.leaves)
        # A kernel may compute in float32 for any dtype of its inputs; L is then known in float32.
        self.epsilon = float(numpy.finfo(output.dtype).eps)
        rounding = self.epsilon * float(abs(self.d_output * output).sum())
        self.noise = max(rounding, self._measured_noise(rng))
        # All differentiable leaves, not only the moved one: forward may combine them in one array.
        self._complex_leaves = list(self.leaves)
        for leaf_index in function.differentiable:
            self._complex_leaves[leaf_index] = self.leaves[leaf_index].astype("complex128")
        self.complex_step_fault = self._complex_step_fault()

    def along(self, leaf_index: int, direction: numpy.ndarray) -> Callable:
        """Return the function ``t -> L`` with the leaf at ``x + t direction``."""
        x = self.host_leaf(leaf_index)

        def loss(t):
            return self._value(leaf_index, x + t * direction)

        return loss

    def along_entry(self, leaf_index: int, index: tuple[int, ...]) -> Callable:
        """Return the function ``t -> L`` with one entry of the leaf at ``x + t``."""
        x = self.host_leaf(leaf_index)

        def loss(t):
            y = x.astype(type(t))
            y[index] += t
            return self._value(leaf_index, y)

        return loss

    def slope(self, f: Callable, leaf_index: int, by_complex_step: bool) -> tuple[float, float]:
        """Differentiate a function ``t -> L`` of one leaf at zero.

        Parameters
        ----------
        f : callable
            From `along` or `along_entry`.
        leaf_index : int
        by_complex_step : bool
            Otherwise by central differences.

        Returns
        -------
        slope, error : float
        """
        if by_complex_step:
            return complex_step.derivative(f)
        # Extrapolation of three differences has a truncation error of the order of h⁶ and a
        # rounding error of ε / h; the two are equal near h = ε^(1/7), which is 6e-3 in float64.
        first_step = self.epsilon ** (1 / 7) * self._step_scale(leaf_index)
        return central_differences.derivative(f, first_step, *self._noise(leaf_index))

    def complex_step_noise(self, leaf_index: int, rng: numpy.random.Generator) -> float:
        """Bound the rounding error, in norm, of a leaf's gradient by complex step.

        The error of the slope along a normally distributed direction is about as large as the norm
        of the gradient's error, so the noise of that slope between nearby points estimates it.
        """
        step = 1j * complex_step.STEP * rng.standard_normal(self.host_leaf(leaf_index).shape)
        slopes = []
        for arrays in self._nearby_arrays(rng, sides=1):
            stepped = {i: x + (step if i == leaf_index else 0j) for i, x in arrays.items()}
            slopes.append(self._weighted(self._leaves_with(stepped)).imag / complex_step.STEP)
        return FACTOR * estimate_noise(slopes)

    def kink_slopes(self, f: Callable, leaf_index: int) -> tuple[float, float] | None:
        """Return a function's slopes left and right of zero where they differ, otherwise None.

        Parameters
        ----------
        f : callable
            ``t -> L``.
        leaf_index : int
            The leaf that determines the step.
        """
        scale = self._precision_ratio() * self._step_scale(leaf_index)
        return one_sided_slopes(f, scale, *self._noise(leaf_index))

    def has_kink(self, rng: numpy.random.Generator) -> bool:
        """Return whether L has a kink here, by moving every entry of every leaf at once."""
        indices = self.function.differentiable
        directions = {i: rng.standard_normal(self.host_leaf(i).shape) for i in indices}

        def loss(t):
            stepped = {i: self.host_leaf(i) + t * directions[i] for i in indices}
            return self._weighted(self._leaves_with(stepped)).item()

        return self.kink_slopes(loss, max(indices, key=self._largest)) is not None

    def host_leaf(self, leaf_index: int) -> numpy.ndarray:
        """Return a leaf in float64 on the host."""
        return numpy.asarray(to_numpy(self.leaves[leaf_index]))

    def _step_scale(self, leaf_index):
        # The curvature of functions such as exp varies over distances near 1 for x of any size, so
        # the step does not grow with x; beyond 1024 it has to, because x + h is rounded.
        return max(1.0, self._largest(leaf_index) / 1024)

    def _noise(self, leaf_index):
        # Where terms of the gradient cancel, so do terms of L; the measured noise may miss them.
        hidden = self.epsilon * self.floors[leaf_index]
        return self.epsilon * self._largest(leaf_index), max(self.noise, hidden)

    def _largest(self, leaf_index):
        return float(abs(self.host_leaf(leaf_index)).max(initial=0.0))

    def _value(self, leaf_index, array):
        leaves = list(self._complex_leaves if array.dtype.kind == "c" else self.leaves)
        leaves[leaf_index] = on_device_of(leaves[leaf_index], array)
        return self._weighted(leaves).item()

    def _weighted(self, leaves):
        output, _ = self.function(leaves)
        return (self.d_output * output).sum()

    def _measured_noise(self, rng):
        values = []
        for arrays in self._nearby_arrays(rng, sides=2):
            values.append(self._weighted(self._leaves_with(arrays)))
        return estimate_noise(values)

    def _leaves_with(self, arrays):
        leaves = list(self.leaves)
        for leaf_index, x in arrays.items():
            leaves[leaf_index] = on_device_of(leaves[leaf_index], x)
        return leaves

    def _nearby_arrays(self, rng, sides):
        indices = self.function.differentiable
        lines = [nearby_points(self.host_leaf(i), self.epsilon, rng, sides) for i in indices]
        return [dict(zip(indices, arrays, strict=True)) for arrays in zip(*lines, strict=True)]

    def _precision_ratio(self):
        return (self.epsilon / numpy.finfo("float64").eps) ** 0.5  # 1 unless L is in float32

    def _complex_step_fault(self):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", numpy.exceptions.ComplexWarning)
                output, _ = self.function(self._complex_leaves)
        except Exception as error:  # forward ran on real numbers: the complex ones are the cause
            return f"{type(error).__name__}: {error}"
        return None if output.dtype.kind == "c" else "it returns real numbers for complex ones"
