"""A function's outputs, as one vector, at inputs that are moved by small steps."""

import warnings
from typing import NamedTuple

import numpy

from kvnet.backend import to_numpy
from kvnet.gradcheck.differentiable_function import DifferentiableFunction, on_device_of
from kvnet.gradcheck.function_noise import Noise
from kvnet.gradcheck.progress import Progress
from kvnet.gradcheck.rounding import measured_noise

LOW_PRECISION = 64  # times machine epsilon: larger noise shows that the precision is lower
LOWEST_PRECISION = 2.0**-10
MANTISSA = 1024  # beyond this size, steps grow with x, because x + h is rounded


class Bundle(NamedTuple):
    """Entries of one leaf that are moved together, because no output depends on two of them.

    Attributes
    ----------
    leaf_index : int
    entries : int array
        Indices of the entries in the flattened leaf.
    owners : int array or None
        For each output, the position in `entries` of the one that it depends on, and
        ``len(entries)`` if it depends on none. None for a single entry.
    """

    leaf_index: int
    entries: numpy.ndarray
    owners: numpy.ndarray | None = None

    def sums(self, values: numpy.ndarray) -> numpy.ndarray:
        """Sum the values of the outputs that depend on each entry."""
        if self.owners is None:
            return values.sum(keepdims=True)
        count = len(self.entries)
        return numpy.bincount(self.owners, values, count + 1)[:count]

    def per_output(self, values: numpy.ndarray) -> numpy.ndarray:
        """Return for each output the value of the entry that it depends on; 1 if on none."""
        return values if self.owners is None else numpy.append(values, 1.0)[self.owners]

    def single(self, position: int) -> "Bundle":
        """Return one of the entries."""
        return Bundle(self.leaf_index, self.entries[position : position + 1])


class MovedFunction:
    """The checked outputs as one vector, real or complex, as a function of the leaves.

    Values that are not finite mean that the point is outside the function's domain. So does an
    exception: the function did not raise it at the point itself.

    Parameters
    ----------
    function : DifferentiableFunction
    d_outputs : list of array
        The weights of the outputs.
    progress : Progress
    dtype : str
        Of the leaves: ``"float64"``, or ``"longdouble"`` for a more precise function.

    Attributes
    ----------
    x : dict of int to array
        The differentiable leaves on the host, by leaf index.
    scales : dict of int to array
        Distance over which the function may vary with each entry. This is the entry's size, at
        most 1, or for large entries 1/1024 of it; entries that are 0 have that of the others.
    y, weights : vectors
        The outputs, and their weights.
    noise : vector
        Standard deviation of the outputs' rounding errors.
    distant_noise : vector
        The noise a step of differences away from x in one entry, while that entry is examined;
        else 0.
    hidden_noise : float
        Noise of terms that cancel in the outputs, which the measured noise may miss.
    epsilon : float
        Machine epsilon of the precision in which the function computes.
    """

    def __init__(
        self,
        function: DifferentiableFunction,
        d_outputs: list[numpy.ndarray],
        progress: Progress,
        dtype: str = "float64",
    ):
        self.function, self.progress = function, progress
        self.dtypes = {False: dtype, True: numpy.result_type(dtype, "complex64").name}
        self.leaves = function.leaves_in(dtype)
        self.x, self.scales = {}, {}
        for i in function.differentiable:
            self.x[i] = numpy.array(to_numpy(self.leaves[i]), dtype, order="C")
            self.scales[i] = scales_of(self.x[i])
        self.weights = numpy.concatenate([d.ravel() for d in d_outputs]).astype(dtype)
        outputs, _ = function(self.leaves)
        self.y = numpy.concatenate([output.ravel() for output in outputs]).astype(dtype)
        self.epsilon = float(max(numpy.finfo(output.dtype).eps for output in outputs))
        self.noise = self.epsilon * abs(self.y)
        self.distant_noise = numpy.zeros(self.y.shape)
        self.hidden_noise = 0.0
        self._work = {}

    def at(self, moved: dict[int, numpy.ndarray]) -> numpy.ndarray:
        """Return the outputs with other leaves.

        Parameters
        ----------
        moved : dict of int to array
            Host arrays by leaf index. If one is complex, all differentiable leaves are, since
            forward may combine them in one array.
        """
        is_complex = any(x.dtype.kind == "c" for x in moved.values())
        leaves = list(self._leaves(is_complex))
        for leaf_index, x in moved.items():
            leaves[leaf_index] = on_device_of(self.leaves[leaf_index], x)
        return self._run(leaves, is_complex)

    def step(self, bundle: Bundle, t: numpy.ndarray) -> numpy.ndarray:
        """Return the outputs with the entries of a bundle moved by t, which may be complex."""
        is_complex = t.dtype.kind == "c"
        leaves = self._leaves(is_complex)
        flat, in_place = self._flat(bundle.leaf_index, is_complex)
        before = flat[bundle.entries]
        flat[bundle.entries] = before + t
        try:
            if not in_place:
                leaves = list(leaves)
                moved = flat.reshape(self.x[bundle.leaf_index].shape)
                leaves[bundle.leaf_index] = on_device_of(self.leaves[bundle.leaf_index], moved)
            return self._run(leaves, is_complex)
        finally:
            flat[bundle.entries] = before

    def first_steps_of(self, bundle: Bundle) -> numpy.ndarray:
        """Return the first step of differences for each entry of a bundle, see `first_steps`."""
        x = self.x[bundle.leaf_index].reshape(-1)[bundle.entries]
        return first_steps(abs(x), self.epsilon)

    def set_noise(self, noise: list[Noise]) -> None:
        """Store the noise of the outputs, and the precision that it shows."""
        lower = min(max(each.precision for each in noise), LOWEST_PRECISION)
        if lower > LOW_PRECISION * self.epsilon:
            self.epsilon = lower
        entries = numpy.concatenate([each.entries.ravel() for each in noise])
        self.noise = numpy.maximum(entries, self.epsilon * abs(self.y))

    def raise_noise(self, noise: list[Noise]) -> None:
        """Raise the noise of outputs for which another measurement gives more."""
        self.noise = numpy.maximum(self.noise, _finite(noise))

    def measure_noise(self, rng: numpy.random.Generator) -> None:
        """Measure the outputs' noise for leaves in float64."""
        arrays = [self.x[i] for i in self.function.differentiable]
        self.set_noise(self._noise_near(arrays, self.y, rng))

    def measure_noise_a_step_away(self, single: Bundle, rng: numpy.random.Generator) -> None:
        """Measure the noise of the outputs at the distance of an entry's first step of differences.

        Where x is near 0, ``log(1 + x²)`` is 0 without noise; a step away it has that of 1 + x².
        """
        arrays = {i: self.x[i].copy() for i in self.function.differentiable}
        arrays[single.leaf_index].reshape(-1)[single.entries] += self.first_steps_of(single)
        y = self.at(arrays)
        self.distant_noise = _finite(self._noise_near(list(arrays.values()), y, rng))

    def _noise_near(self, arrays, y, rng):
        indices = self.function.differentiable

        def results_at(points):
            return [self.at(dict(zip(indices, points, strict=True)))]

        return measured_noise(results_at, arrays, [y], rng)

    def complex_step_fault(self) -> str | None:
        """Return why forward cannot be differentiated by a complex step; None if it can."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", numpy.exceptions.ComplexWarning)
                outputs, _ = self.function(self._leaves(True))
        except Exception as error:  # forward ran on real numbers: the complex ones are the cause
            return f"{type(error).__name__}: {error}"
        if not any(output.dtype.kind == "c" for output in outputs):
            return "it returns real numbers for complex ones"
        return None

    def _run(self, leaves, is_complex):
        self.progress.tick()
        dtype = self.dtypes[is_complex]
        try:
            outputs, _ = self.function(leaves)
            if len(outputs) == 1:
                vector = numpy.array(outputs[0], dtype).ravel()  # a copy: it may be a view
            else:
                vector = numpy.concatenate([output.ravel() for output in outputs]).astype(dtype)
        except Exception:
            return numpy.full(self.y.shape, numpy.nan, dtype)
        if vector.shape != self.y.shape:  # its shape depends on the values: it jumps
            return numpy.full(self.y.shape, numpy.nan, dtype)
        return vector

    def _leaves(self, is_complex):
        if is_complex not in self._work:
            leaves = list(self.leaves)
            for i, x in self.x.items():
                leaves[i] = on_device_of(self.leaves[i], x.astype(self.dtypes[is_complex]))
            self._work[is_complex] = leaves
        return self._work[is_complex]

    def _flat(self, leaf_index, is_complex):
        """Return a flat host array of a leaf, and whether it is what forward reads."""
        leaf = self._leaves(is_complex)[leaf_index]
        if isinstance(leaf, numpy.ndarray):
            return leaf.reshape(-1), True
        return self.x[leaf_index].astype(self.dtypes[is_complex]).ravel(), False


def _finite(noise):
    entries = numpy.concatenate([each.entries.ravel() for each in noise])
    return numpy.where(numpy.isfinite(entries), entries, 0.0)


def first_steps(sizes: numpy.ndarray, epsilon: float) -> numpy.ndarray:
    """Return the first step of differences for entries of these sizes, a power of two.

    Extrapolation of three differences has a truncation error of the order of h⁶ and a rounding
    error of ε / h; the two are equal near h = ε^(1/7), which is 6e-3 in float64. The curvature of
    functions such as exp varies over distances near 1 for x of any size, so the step does not grow
    with x; beyond 1024 it has to, because x + h is rounded.
    """
    return power_of_two(epsilon ** (1 / 7) * numpy.maximum(1.0, sizes / MANTISSA))


def power_of_two(h: numpy.ndarray) -> numpy.ndarray:
    """Return the nearest power of two, which can be halved exactly."""
    return numpy.exp2(numpy.round(numpy.log2(h)))


def scales_of(x: numpy.ndarray) -> numpy.ndarray:
    """Return the distance over which a function may vary with each entry, see `MovedFunction`."""
    sizes = abs(x)
    other = sizes[sizes > 0]
    typical = min(1.0, float(numpy.median(other))) if other.size else 1.0
    scales = numpy.where(sizes < 1, sizes, numpy.maximum(1.0, sizes / MANTISSA))
    return numpy.where(sizes == 0, typical, scales)
