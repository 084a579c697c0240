"""Comparison of one input's gradient with its numeric derivatives."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy

from kvnet.gradcheck import central_differences, complex_step
from kvnet.gradcheck.bundles import bundles_of
from kvnet.gradcheck.function_noise import estimate_noise, nearby_points, spacing_for
from kvnet.gradcheck.kinks import Kink, KinkSlopes, kinks_of
from kvnet.gradcheck.moved_function import Bundle, MovedFunction, first_steps
from kvnet.gradcheck.norms import norm
from kvnet.gradcheck.random_directions import (
    directions_by_complex_step,
    directions_by_differences,
    slope_along,
    worst_entry,
)
from kvnet.gradcheck.report import CheckedInput
from kvnet.gradcheck.rounding import CLOSE, FACTOR, Rounding
from kvnet.gradcheck.search_kinks import find_kinks

SETTLED = 16  # entries that are examined one by one because slopes along directions differ
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
class Comparison:
    """One leaf's gradient, compared entry by entry or along directions.

    Attributes
    ----------
    moved : MovedFunction
    leaf_index : int
    gradient : float64 array
        As backward returned it.
    sizes : array
        Size of the terms of each entry, which may cancel in it.
    rounding : Rounding
        Bounds of the gradient's rounding error.
    floor : float
        Size of terms that cancel, given by the caller.
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
    """

    moved: MovedFunction
    leaf_index: int
    gradient: numpy.ndarray
    sizes: numpy.ndarray
    rounding: Rounding
    floor: float
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
        self.moved.hidden_noise = self.moved.epsilon * self.floor

    def by_entries(self, has_kink: bool) -> CheckedInput:
        """Differentiate by each entry.

        Parameters
        ----------
        has_kink : bool
            Whether to search for kinks.
        """
        bundles = self._bundles()
        if has_kink:
            self.kinks = find_kinks(self.moved, bundles, self.by_complex_step, self.rng)
        self._start("entries", len(bundles))
        for bundle in bundles:
            self._measure(bundle)
        wrong = self._examine_suspects()
        return self._entry_result("complex_step" if self.by_complex_step else "differences", wrong)

    def by_directions(self, has_kink: bool) -> CheckedInput:
        """Differentiate along random directions; search the worst entry if the slopes differ."""
        if has_kink:
            bundles = [Bundle(self.leaf_index, numpy.arange(self.gradient.size))]
            bundles = bundles if self.gradient.size == 1 else self._bundles()
            self.kinks = find_kinks(self.moved, bundles, self.by_complex_step, self.rng)
        return self._along_directions()

    def _bundles(self):
        return bundles_of(self.moved, self.leaf_index, self.by_complex_step, self.rng)

    def _start(self, what, passes):
        name = self.moved.function.names[self.leaf_index]
        each = 1 if self.by_complex_step else 2 * central_differences.HALVINGS
        self.moved.progress.start(f"{what} of {name}", passes * each)

    def _measure(self, bundle):
        """Store the slopes by the entries of a bundle, and their errors."""
        if self.by_complex_step:
            slopes, errors = complex_step.slopes(self.moved, bundle)
        else:
            x = self.moved.x[self.leaf_index].reshape(-1)[bundle.entries]
            h = first_steps(abs(x), self.moved.epsilon)
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

    def _tolerances(self):
        return self.rounding.entries.reshape(-1) + self.errors

    def _smooth(self):
        smooth = numpy.ones(self.gradient.size, bool)
        smooth[list(self.kinks)] = False
        return smooth

    def _examine_suspects(self) -> int | None:
        """Examine each entry that differs by more than its tolerance; return a wrong one."""
        differences = abs(self.gradient.reshape(-1) - self.numeric)
        tolerances = self._tolerances()
        suspects = numpy.flatnonzero(~(differences <= tolerances) & self._smooth())
        ratio = differences[suspects] / numpy.maximum(tolerances[suspects], 1e-300)
        order = numpy.argsort(-numpy.nan_to_num(ratio, nan=1e300), kind="stable")
        for entry in suspects[order]:
            if self._is_wrong(int(entry)):
                # The entry with the largest difference is the most useful one to report.
                largest = int(numpy.nanargmax(numpy.where(self._smooth(), differences, -1.0)))
                if largest != entry and largest in suspects and self._is_wrong(largest):
                    return largest
                return int(entry)
        return None

    def _with_more_digits(self, entry: int) -> bool | None:
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
        x = moved.x[self.leaf_index].reshape(-1)[single.entries]
        h = first_steps(abs(x), moved.epsilon)
        depends = moved.step(single, h) != moved.y
        scale = float(moved.scales[self.leaf_index].reshape(-1)[single.entries[0]])
        outputs = float(abs(moved.weights * moved.y)[depends].sum()) / scale
        largest = max(float(abs(x).max(initial=1.0)) for x in moved.x.values())
        return outputs + norm(moved.weights) * largest + norm(self.gradient)

    def _is_wrong(self, entry: int) -> bool:
        """Examine one entry with several steps, by both methods, and find out if it is a kink."""
        single = Bundle(self.leaf_index, numpy.array([entry]))
        if self.by_complex_step:
            found = complex_step.careful_slope(self.moved, single)
            self.numeric[entry], self.errors[entry] = found
        else:
            found = self.numeric[entry], self.errors[entry]
        if self._is_within(entry):
            return False
        self._remeasure()
        if not self.by_complex_step:
            self._measure(single)  # with the noise as measured again
        elif numpy.isfinite(found[1]):
            self.errors[entry] += self._complex_noise([entry])
        if self._is_within(entry):
            return False
        if self.by_complex_step and (verdict := self._with_more_digits(entry)) is not None:
            return verdict
        if kinks := kinks_of(self.moved, single, self.by_complex_step):
            self.kinks |= kinks
            return False
        if not self.by_complex_step:
            self._take_closer_points(entry, single)
            self.errors[entry] += self._absorbed(single)
            is_open = entry in self.undecided or self._is_within(entry)
            return not is_open and self._with_more_digits(entry) is not False
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
        return entry not in self.undecided and not self._is_within(entry)

    def _take_closer_points(self, entry, single):
        """Replace a slope by one of closer points if a kink near the farthest ones has spoilt it.

        A kink just inside the largest step changes the slope by little, and the smaller steps not
        at all: that looks as if the differences converged.
        """
        x = self.moved.x[self.leaf_index].reshape(-1)[single.entries]
        h = first_steps(abs(x), self.moved.epsilon) / CLOSER
        closer = central_differences.slopes(self.moved, single, h)
        apart = abs(float(closer.slope[0]) - self.numeric[entry])
        if closer.converged[0] and apart > float(closer.error[0]) + self.errors[entry]:
            self.numeric[entry], self.errors[entry] = float(closer.slope[0]), float(closer.error[0])

    def _below_rounding(self, single) -> float:
        """Bound the slope of outputs that change by a complex step, but not by a real one."""
        x = self.moved.x[self.leaf_index].reshape(-1)[single.entries]
        scale = self.moved.scales[self.leaf_index].reshape(-1)[single.entries]
        h = first_steps(abs(x), self.moved.epsilon)
        depends = self.moved.step(single, 1j * complex_step.steps(x, scale)).imag != 0
        unseen = depends & (self.moved.step(single, h) == self.moved.y)
        noise = float((abs(self.moved.weights) * self.moved.noise)[unseen].sum() / h[0])
        return central_differences.AMPLIFICATION * noise

    def _absorbed(self, single) -> float:
        """Return the derivative that differences miss because it is below an output's rounding.

        An output that does not change by a step depends on the entry by less than its rounding
        error, or not at all. How much less, only backward can say.
        """
        x = self.moved.x[self.leaf_index].reshape(-1)[single.entries]
        h = first_steps(abs(x), self.moved.epsilon)
        same = self.moved.step(single, h) == self.moved.y
        missed = abs(self.gradient_of(same).reshape(-1)[single.entries[0]])
        rounding = float((abs(self.moved.weights) * self.moved.noise)[same].sum() / h[0])
        return min(float(missed), central_differences.AMPLIFICATION * rounding)

    def _is_within(self, entry):
        difference = abs(self.gradient.reshape(-1)[entry] - self.numeric[entry])
        return difference <= self.rounding.entries.reshape(-1)[entry] + self.errors[entry]

    def _remeasure(self):
        if not self._measured_again:
            again = self.measure_again()
            self.rounding = Rounding(
                max(self.rounding.norm, again.norm),
                numpy.maximum(self.rounding.entries, again.entries),
            )
            self._measured_again = True

    def _complex_noise(self, entries) -> float:
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

    def _entry_result(self, method, wrong: int | None) -> CheckedInput:
        smooth, gradient, noise = self._smooth(), self.gradient.reshape(-1), 0.0
        differences, allowed = self._differences(smooth)
        if wrong is None and not norm(differences) <= allowed:
            self._remeasure()
            if self.by_complex_step:
                noise = self._complex_noise(numpy.flatnonzero(smooth))
            # Each entry's own tolerance may be larger than its share of the norm's.
            entries = iter(numpy.argsort(-abs(differences), kind="stable"))
            differences, allowed = self._differences(smooth)
            while not norm(differences) <= allowed + noise:
                entry = next(entries, None)
                if entry is None or self._with_more_digits(int(entry)) is not False:
                    break
                differences, allowed = self._differences(smooth)
        difference, tolerance = norm(differences), allowed + noise
        numeric = numpy.where(smooth, self.numeric, 0.0)
        checked = self._result(method, norm(numeric), difference, tolerance)
        checked.zeros = int((smooth & (gradient == 0) & (numeric == 0)).sum())
        if gradient.size:
            entry = wrong if wrong is not None else int(abs(differences).argmax())
            self._set_entry(checked, entry)
            if wrong is not None or not difference <= tolerance:
                self._set_wrong(checked, entry)
        self._other_faults(checked)
        return checked

    def _differences(self, smooth):
        """Return each entry's difference, and the bound of their norm without forward's noise."""
        differences = numpy.where(smooth, self.gradient.reshape(-1) - self.numeric, 0.0)
        return differences, self.rounding.norm + norm(numpy.where(smooth, self.errors, 0.0))

    def _set_entry(self, checked, entry):
        checked.index = self._index(entry)
        checked.analytic = float(self.gradient.reshape(-1)[entry])
        checked.numeric = float(self.numeric[entry])

    def _set_wrong(self, checked, entry):
        relative_to = "the whole gradient"
        if checked.error <= checked.tolerance:  # only this entry's own tolerance shows it
            relative_to = "this entry"
            size = max(abs(checked.analytic), abs(checked.numeric)) or 1.0
            checked.error = abs(checked.analytic - checked.numeric) / size
            checked.tolerance = float(self._tolerances()[entry]) / size
        checked.fault = (
            f"wrong at {list(checked.index)}: analytic {checked.analytic:.17g}, numeric "
            f"{checked.numeric:.17g} ({checked.method}); error {checked.error:.1e}, tolerance "
            f"{checked.tolerance:.1e}, relative to {relative_to}"
        )

    def _other_faults(self, checked):
        if checked.fault is None and self.undecided:
            entry = min(self.undecided)
            checked.fault = (
                f"undecided at {list(self._index(entry))}: the derivatives do not "
                f"converge (error {self.errors[entry]:.1e})"
            )
        elif checked.fault is None and (wrong := self._outside_its_kink(checked.kinks)):
            checked.fault = (
                f"{self.gradient[wrong.index]:.17g}, which is not between the slopes at the kink "
                f"{wrong}"
            )

    def _outside_its_kink(self, kinks):
        for kink, (entry, slopes) in zip(kinks, sorted(self.kinks.items()), strict=True):
            slack = self.rounding.entries.reshape(-1)[entry]
            slack += 1e-12 * max(abs(slopes.left), abs(slopes.right))
            if not slopes.low - slack <= self.gradient.reshape(-1)[entry] <= slopes.high + slack:
                return kink
        return None

    def _index(self, entry):
        return tuple(int(i) for i in numpy.unravel_index(entry, self.gradient.shape))

    def _result(self, method, size, difference, tolerance) -> CheckedInput:
        # Where all of these are zero, any divisor will do.
        divisor = max(size, self.floor) or difference or 1.0
        return CheckedInput(
            name=self.moved.function.names[self.leaf_index],
            shape=self.gradient.shape,
            dtype=self.moved.function.leaves[self.leaf_index].dtype.name,
            method="central_differences" if method == "differences" else method,
            entries=self.gradient.size,
            kinks=[Kink(self._index(k), s.left, s.right) for k, s in sorted(self.kinks.items())],
            norm=size,
            size=divisor,
            error=difference / divisor,
            tolerance=tolerance / divisor,
        )

    def _along_directions(self) -> CheckedInput:
        settled = set()  # entries that were examined one by one, and are right
        first = worst = None
        while True:
            smooth = self._smooth()
            smooth[list(settled)] = False
            plain, others = self._directions(smooth.reshape(self.gradient.shape))
            found = [self._direction(v) for v in [*plain, *others]]
            if self.by_complex_step and not numpy.isfinite(found).all():
                raise NotAnalyticError("the complex step is not finite")
            suspect = next(
                (
                    v
                    for v, each in zip([*plain, *others], found, strict=True)
                    if not abs(each[0]) <= each[1]
                ),
                None,
            )
            first = first or found[: len(plain)]
            wrong = None
            if suspect is None:
                break
            if len(settled) == SETTLED:
                wrong = worst if self._is_still_wrong(plain) else None
                break
            worst, is_wrong = self._worst_along(suspect)
            if is_wrong:
                wrong = worst
                break
            settled.add(worst)
        differences, tolerances, slopes, errors = numpy.array(first).T
        count = max(len(plain), 1) ** 0.5
        method = "complex step" if self.by_complex_step else "central differences"
        checked = self._result(
            f"random_directions by {method}",
            norm(slopes) / count,
            norm(differences) / count,
            float(tolerances.max()),
        )
        if wrong is not None:
            self._set_entry(checked, wrong)
            self._set_wrong(checked, wrong)
        elif not errors.max() <= UNDECIDED * checked.size + norm(self.moved.noise) ** 0.5:
            checked.fault = f"undecided: the derivatives do not converge (error {errors.max():.1e})"
        self._other_faults(checked)
        return checked

    def _directions(self, smooth):
        if self.by_complex_step:
            return directions_by_complex_step(
                self.moved, self.leaf_index, self.rounding.entries, smooth, self.rng
            )
        return directions_by_differences(self.moved, self.leaf_index, self.sizes, smooth, self.rng)

    def _direction(self, direction):
        """Return the difference of the slopes, its tolerance, the slope and its error."""
        slope, error = slope_along(
            self.moved, self.leaf_index, direction, self.sizes, self.by_complex_step
        )
        entries = norm(self.rounding.entries * direction)
        return float((self.gradient * direction).sum()) - slope, entries + error, slope, error

    def _is_still_wrong(self, directions):
        """Return whether slopes differ by more than the rounding errors as measured again."""
        self._remeasure()
        smooth = numpy.flatnonzero(self._smooth())
        noise = self._complex_noise(smooth) if self.by_complex_step else 0.0
        for v in directions:
            difference, tolerance, *_ = self._direction(v)
            if not abs(difference) <= tolerance + noise * float(abs(v).max(initial=0.0)):
                return True
        return False

    def _worst_along(self, direction) -> tuple[int, bool]:
        """Find the entry that makes slopes along a direction differ, and whether it is wrong."""

        def difference_along(part):
            return self._direction(part)[0]

        entry = worst_entry(difference_along, direction, self.rng)
        self._measure(Bundle(self.leaf_index, numpy.array([entry])))
        if entry in self.kinks or self._is_within(entry):
            return entry, False
        return entry, self._is_wrong(entry)
