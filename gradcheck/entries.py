"""The entries of a gradient: their numeric slopes, and the examination of those that differ."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy

from kvnet.gradcheck import central_differences, complex_step
from kvnet.gradcheck.function_noise import estimate_noise, nearby_points, spacing_for
from kvnet.gradcheck.kinks import KinkSlopes, kinks_of
from kvnet.gradcheck.moved_function import Bundle, MovedFunction
from kvnet.gradcheck.norms import norm
from kvnet.gradcheck.rounding import CLOSE, FACTOR, Rounding

CLOSER = 64.0  # times closer: points for a second look at a slope by differences
UNDECIDED = 1e-4  # relative error of a method above which a comparison with it shows nothing


class NotAnalyticError(Exception):
    """The complex step is not the derivative; the message says why."""

    def __init__(
        self,
        reason: str = "the forward pass is not analytic (it uses abs, conj or real, or casts "
        "complex numbers)",
    ):
        super().__init__(reason)


@dataclass
class Entries:
    """The entries of one leaf's gradient: their numeric slopes, and the examination of suspects.

    Attributes
    ----------
    moved : MovedFunction
    leaf_index : int
    gradient : float64 array
        As backward returned it.
    rounding : Rounding
        Bounds of the gradient's rounding error.
    by_complex_step : bool
        Otherwise by differences.
    rng : numpy.random.Generator
    measure_again : callable
        Returns bounds of the rounding error that are measured at other points.
    gradient_of : callable
        Maps a choice of the outputs' entries to the gradient of their weighted sum.
    more_digits : callable
        Returns the function in a higher precision, this leaf's gradient there and its rounding
        errors; or None.
    epsilon : float
        Machine epsilon of the gradient's precision.
    kinks : dict of int to KinkSlopes
        Entries at a kink, by index in the flattened leaf.
    undecided : set of int
        Entries at which differences do not converge.
    numeric, errors : float64 vectors
        The slope by each entry, and its error.
    """

    moved: MovedFunction
    leaf_index: int
    gradient: numpy.ndarray
    rounding: Rounding
    by_complex_step: bool
    rng: numpy.random.Generator
    measure_again: Callable[[], Rounding]
    gradient_of: Callable[[numpy.ndarray], numpy.ndarray]
    more_digits: Callable[[], tuple[MovedFunction, numpy.ndarray, numpy.ndarray] | None]
    epsilon: float
    kinks: dict[int, KinkSlopes] = field(default_factory=dict)
    undecided: set[int] = field(default_factory=set)

    def __post_init__(self):
        self.numeric = numpy.zeros(self.gradient.size)
        self.errors = numpy.zeros(self.gradient.size)
        self._measured_again = False

    def measure(self, bundle):
        """Store the slopes by the entries of a bundle, and their errors."""
        if self.by_complex_step:
            slopes, errors = complex_step.slopes(self.moved, bundle)
        else:
            h = self.moved.first_steps_of(bundle)
            estimate = central_differences.slopes(self.moved, bundle, h)
            slopes, errors = estimate.slope, estimate.error
            good = central_differences.is_good(self.moved, bundle, estimate, h)
            for k in numpy.flatnonzero(~good):
                slopes[k], errors[k] = self._by_differences(bundle.single(k))
        self.numeric[bundle.entries], self.errors[bundle.entries] = slopes, errors

    def _by_differences(self, single):
        """Return the slope and its error by one entry; register an entry without convergence."""
        entry = int(single.entries[0])
        estimate = central_differences.careful_slope(self.moved, single)
        slope, error = float(estimate.slope[0]), float(estimate.error[0])
        noisy = estimate.change[0] <= 16 * estimate.rounding[0]
        # At the edge of the domain, a slope of 0 is approached slowly.
        size = max(abs(slope), norm(self.gradient) / self.gradient.size**0.5)
        if not noisy and not error <= UNDECIDED * size and entry not in self.kinks:
            kinks = kinks_of(self.moved, single, by_complex_step=False)
            self.kinks |= kinks
            if not kinks:
                self.undecided.add(entry)
        return slope, error

    def tolerances(self) -> numpy.ndarray:
        """Return the largest difference of each entry that rounding and the method explain."""
        return self.rounding.entries.reshape(-1) + self.errors

    def smooth(self) -> numpy.ndarray:
        """Return which entries are not at a kink, a bool vector."""
        smooth = numpy.ones(self.gradient.size, bool)
        smooth[list(self.kinks)] = False
        return smooth

    def find_wrong(self) -> int | None:
        """Examine each entry that differs by more than its tolerance; return a wrong one."""
        differences = abs(self.gradient.reshape(-1) - self.numeric)
        tolerances = self.tolerances()
        suspects = numpy.flatnonzero(~(differences <= tolerances) & self.smooth())
        ratio = differences[suspects] / numpy.maximum(tolerances[suspects], 1e-300)
        order = numpy.argsort(-numpy.nan_to_num(ratio, nan=1e300), kind="stable")
        for entry in suspects[order]:
            if self.is_wrong(int(entry)):
                # The entry with the largest difference is the most useful one to report.
                largest = int(numpy.nanargmax(numpy.where(self.smooth(), differences, -1.0)))
                if largest != entry and largest in suspects and self.is_wrong(largest):
                    return largest
                return int(entry)
        return None

    def examine_with_more_digits(self, entry: int) -> bool | None:
        """Examine one entry in a higher precision: whether it is wrong, or None if that is open.

        The gradient must be right there within the same tolerance, and the digits that it lacks
        here must be no more than rounding takes from the function's own terms. It is wrong if
        both methods say so.
        """
        if (precise := self.more_digits()) is None:
            return None
        moved, gradient, rounding = precise
        single = Bundle(self.leaf_index, numpy.array([entry]))
        estimate = central_differences.careful_slope(moved, single)
        slope, error = float(estimate.slope[0]), float(estimate.error[0])
        if self.by_complex_step:
            by_differences = slope, error
            slope, error = complex_step.careful_slope(moved, single)
        own = float(gradient.reshape(-1)[entry])
        lost = abs(self.gradient.reshape(-1)[entry] - own)
        gained = float(numpy.finfo(gradient.dtype).eps) / self.epsilon
        there = FACTOR * max(float(rounding.reshape(-1)[entry]), gained * lost)
        there += self.rounding.entries.reshape(-1)[entry]
        if abs(own - slope) <= there + min(error, float(self.errors[entry])):
            if not lost <= FACTOR * self.epsilon * self._terms(moved, single):
                return None
            self.numeric[entry], self.errors[entry] = slope, error + lost + there
            return False
        if not self.by_complex_step:
            return None
        both_agree = abs(slope - by_differences[0]) <= error + by_differences[1]
        return (both_agree and abs(own - by_differences[0]) > there + by_differences[1]) or None

    def _terms(self, moved, single) -> float:
        """Estimate the size of the terms that may cancel in an entry.

        These are its outputs, per distance over which they vary, and products of the inputs.
        """
        depends = moved.step(single, moved.first_steps_of(single)) != moved.y
        scale = float(moved.scales[self.leaf_index].reshape(-1)[single.entries[0]])
        outputs = float(abs(moved.weights * moved.y)[depends].sum()) / scale
        largest = max(float(abs(x).max(initial=1.0)) for x in moved.x.values())
        return outputs + norm(moved.weights) * largest + norm(self.gradient)

    def is_wrong(self, entry: int) -> bool:
        """Examine one entry with several steps, by both methods, and find out if it is a kink."""
        try:
            return self._is_wrong(entry)
        finally:
            self.moved.distant_noise = numpy.zeros(self.moved.y.shape)

    def _is_wrong(self, entry):
        single = Bundle(self.leaf_index, numpy.array([entry]))
        if self.by_complex_step:
            found = complex_step.careful_slope(self.moved, single)
            self.numeric[entry], self.errors[entry] = found
        else:
            found = self.numeric[entry], self.errors[entry]
        if self.is_within(entry):
            return False
        self.remeasure()
        self.moved.measure_noise_a_step_away(single, self.rng)
        if not self.by_complex_step:
            self.measure(single)  # with the noise as measured again
        elif numpy.isfinite(found[1]):
            self.errors[entry] += self.complex_noise([entry])
        if self.is_within(entry):
            return False
        if self.by_complex_step and (verdict := self.examine_with_more_digits(entry)) is not None:
            return verdict
        if kinks := kinks_of(self.moved, single, self.by_complex_step):
            self.kinks |= kinks
            return False
        if not self.by_complex_step:
            self._take_closer_points(entry, single)
            self.errors[entry] += self._absorbed(single)
            is_open = entry in self.undecided or self.is_within(entry)
            return not is_open and self.examine_with_more_digits(entry) is not False
        slope, error = self._by_differences(single)
        if entry in self.kinks:
            return False
        exact = numpy.isfinite(found[0]) and numpy.isfinite(found[1])
        unseen = self._below_rounding(single)
        if exact and not abs(found[0] - slope) > self.errors[entry] + error + unseen:
            self.undecided.discard(entry)
            return True  # both methods agree, and the complex step is the more accurate one
        if exact and (kinks := kinks_of(self.moved, single, by_complex_step=False)):
            self.kinks |= kinks
            return False
        if exact and entry not in self.undecided:
            raise NotAnalyticError
        self.numeric[entry], self.errors[entry] = slope, error
        return entry not in self.undecided and not self.is_within(entry)

    def _take_closer_points(self, entry, single):
        """Replace a slope by one of closer points if a kink near the farthest ones has spoilt it.

        A kink just inside the largest step changes the slope by little, and the smaller steps not
        at all: that looks as if the differences converged.
        """
        h = self.moved.first_steps_of(single) / CLOSER
        closer = central_differences.slopes(self.moved, single, h)
        apart = abs(float(closer.slope[0]) - self.numeric[entry])
        if closer.converged[0] and apart > float(closer.error[0]) + self.errors[entry]:
            self.numeric[entry], self.errors[entry] = float(closer.slope[0]), float(closer.error[0])

    def _below_rounding(self, single) -> float:
        """Bound the slope of outputs that change by a complex step, but not by a real one."""
        x = self.moved.x[self.leaf_index].reshape(-1)[single.entries]
        scale = self.moved.scales[self.leaf_index].reshape(-1)[single.entries]
        h = self.moved.first_steps_of(single)
        depends = self.moved.step(single, 1j * complex_step.steps(x, scale)).imag != 0
        unseen = depends & (self.moved.step(single, h) == self.moved.y)
        noise = float((abs(self.moved.weights) * self.moved.noise)[unseen].sum() / h[0])
        return central_differences.AMPLIFICATION * noise

    def _absorbed(self, single) -> float:
        """Return the derivative that differences miss because it is below an output's rounding.

        An output that does not change by a step depends on the entry by less than its rounding
        error, or not at all. How much less, only backward can say.
        """
        h = self.moved.first_steps_of(single)
        same = self.moved.step(single, h) == self.moved.y
        missed = abs(self.gradient_of(same).reshape(-1)[single.entries[0]])
        rounding = float((abs(self.moved.weights) * self.moved.noise)[same].sum() / h[0])
        return min(float(missed), central_differences.AMPLIFICATION * rounding)

    def is_within(self, entry: int) -> bool:
        """Return whether an entry differs by no more than its tolerance."""
        difference = abs(self.gradient.reshape(-1)[entry] - self.numeric[entry])
        return difference <= self.rounding.entries.reshape(-1)[entry] + self.errors[entry]

    def remeasure(self) -> None:
        """Measure the bounds of the rounding error at other points too, once."""
        if not self._measured_again:
            again = self.measure_again()
            self.rounding = Rounding(
                max(self.rounding.norm, again.norm),
                numpy.maximum(self.rounding.entries, again.entries),
            )
            self._measured_again = True

    def complex_noise(self, entries) -> float:
        """Bound the rounding error of slopes by complex step, by their noise at nearby points.

        The error of the slope along a random direction is about as large as the norm of the
        gradient's error.
        """
        moved, i = self.moved, self.leaf_index
        x, scale = moved.x[i].reshape(-1)[entries], moved.scales[i].reshape(-1)[entries]
        h = complex_step.steps(x, scale)
        step = numpy.zeros(self.gradient.size, complex)
        factors = self.rng.standard_normal(len(entries)) if len(entries) > 1 else 1.0
        step[entries] = 1j * h * factors
        unit = float(h.max(initial=0.0)) or 1.0
        indices = moved.function.differentiable
        spacing = (
            CLOSE * complex_step.EPSILON
            if moved.epsilon <= complex_step.EPSILON
            else spacing_for(moved.epsilon)
        )
        lines = [nearby_points(moved.x[j], spacing, self.rng) for j in indices]
        slopes = []
        for arrays in zip(*lines, strict=True):
            at = dict(zip(indices, arrays, strict=True))
            at[i] = at[i] + step.reshape(at[i].shape)
            slopes.append(moved.weights @ (moved.at(at).imag / unit))
        noise = estimate_noise(numpy.array(slopes)).norm
        return FACTOR * noise if numpy.isfinite(noise) else 0.0
