"""Comparison of one input's gradient with its numeric derivatives."""

from dataclasses import dataclass

import numpy

from kvnet.gradcheck import central_differences
from kvnet.gradcheck.bundles import bundles_of
from kvnet.gradcheck.entries import UNDECIDED, Entries, NotAnalyticError
from kvnet.gradcheck.kinks import Kink
from kvnet.gradcheck.moved_function import Bundle
from kvnet.gradcheck.norms import norm
from kvnet.gradcheck.random_directions import (
    directions_by_complex_step,
    directions_by_differences,
    slope_along,
    worst_entry,
)
from kvnet.gradcheck.report import CheckedInput
from kvnet.gradcheck.search_kinks import find_kinks

SETTLED = 16  # entries that are examined one by one because slopes along directions differ


@dataclass
class Comparison:
    """One leaf's gradient, compared entry by entry or along directions.

    Attributes
    ----------
    entries : Entries
    sizes : array
        Size of the terms of each entry, which may cancel in it.
    floor : float
        Size of terms that cancel, given by the caller.
    """

    entries: Entries
    sizes: numpy.ndarray
    floor: float

    def __post_init__(self):
        of = self.entries
        self.moved, self.leaf_index, self.gradient = of.moved, of.leaf_index, of.gradient
        self.by_complex_step, self.rng = of.by_complex_step, of.rng
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
            self.entries.kinks = find_kinks(self.moved, bundles, self.by_complex_step, self.rng)
        self._start("entries", len(bundles))
        for bundle in bundles:
            self.entries.measure(bundle)
        wrong = self.entries.find_wrong()
        return self._entry_result("complex_step" if self.by_complex_step else "differences", wrong)

    def by_directions(self, has_kink: bool) -> CheckedInput:
        """Differentiate along random directions; search the worst entry if the slopes differ."""
        if has_kink:
            bundles = [Bundle(self.leaf_index, numpy.arange(self.gradient.size))]
            bundles = bundles if self.gradient.size == 1 else self._bundles()
            self.entries.kinks = find_kinks(self.moved, bundles, self.by_complex_step, self.rng)
        return self._along_directions()

    def _bundles(self):
        return bundles_of(self.moved, self.leaf_index, self.by_complex_step, self.rng)

    def _start(self, what, passes):
        name = self.moved.function.names[self.leaf_index]
        each = 1 if self.by_complex_step else 2 * central_differences.HALVINGS
        self.moved.progress.start(f"{what} of {name}", passes * each)

    def _entry_result(self, method, wrong: int | None) -> CheckedInput:
        smooth, gradient, noise = self.entries.smooth(), self.gradient.reshape(-1), 0.0
        differences, allowed = self._differences(smooth)
        if wrong is None and not norm(differences) <= allowed:
            self.entries.remeasure()
            if self.by_complex_step:
                noise = self.entries.complex_noise(numpy.flatnonzero(smooth))
            # Each entry's own tolerance may be larger than its share of the norm's.
            entries = iter(numpy.argsort(-abs(differences), kind="stable"))
            differences, allowed = self._differences(smooth)
            while not norm(differences) <= allowed + noise:
                entry = next(entries, None)
                if entry is None or self.entries.examine_with_more_digits(int(entry)) is not False:
                    break
                differences, allowed = self._differences(smooth)
        difference, tolerance = norm(differences), allowed + noise
        numeric = numpy.where(smooth, self.entries.numeric, 0.0)
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
        differences = numpy.where(smooth, self.gradient.reshape(-1) - self.entries.numeric, 0.0)
        errors = numpy.where(smooth, self.entries.errors, 0.0)
        return differences, self.entries.rounding.norm + norm(errors)

    def _set_entry(self, checked, entry):
        checked.index = self._index(entry)
        checked.analytic = float(self.gradient.reshape(-1)[entry])
        checked.numeric = float(self.entries.numeric[entry])

    def _set_wrong(self, checked, entry):
        relative_to = "the whole gradient"
        if checked.error <= checked.tolerance:  # only this entry's own tolerance shows it
            relative_to = "this entry"
            size = max(abs(checked.analytic), abs(checked.numeric)) or 1.0
            checked.error = abs(checked.analytic - checked.numeric) / size
            checked.tolerance = float(self.entries.tolerances()[entry]) / size
        checked.fault = (
            f"wrong at {list(checked.index)}: analytic {checked.analytic:.17g}, numeric "
            f"{checked.numeric:.17g} ({checked.method}); error {checked.error:.1e}, tolerance "
            f"{checked.tolerance:.1e}, relative to {relative_to}"
        )

    def _other_faults(self, checked):
        if checked.fault is None and self.entries.undecided:
            entry = min(self.entries.undecided)
            checked.fault = (
                f"undecided at {list(self._index(entry))}: the derivatives do not "
                f"converge (error {self.entries.errors[entry]:.1e})"
            )
        elif checked.fault is None and (wrong := self._outside_its_kink(checked.kinks)):
            checked.fault = (
                f"{self.gradient[wrong.index]:.17g}, which is not between the slopes at the kink "
                f"{wrong}"
            )

    def _outside_its_kink(self, kinks):
        for kink, (entry, slopes) in zip(kinks, sorted(self.entries.kinks.items()), strict=True):
            slack = self.entries.rounding.entries.reshape(-1)[entry]
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
            kinks=[
                Kink(self._index(k), slopes.left, slopes.right)
                for k, slopes in sorted(self.entries.kinks.items())
            ],
            norm=size,
            size=divisor,
            error=difference / divisor,
            tolerance=tolerance / divisor,
        )

    def _along_directions(self) -> CheckedInput:
        settled = set()  # entries that were examined one by one, and are right
        first = worst = None
        while True:
            smooth = self.entries.smooth()
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
                self.moved, self.leaf_index, self.entries.rounding.entries, smooth, self.rng
            )
        return directions_by_differences(self.moved, self.leaf_index, self.sizes, smooth, self.rng)

    def _direction(self, direction):
        """Return the difference of the slopes, its tolerance, the slope and its error."""
        slope, error = slope_along(
            self.moved, self.leaf_index, direction, self.sizes, self.by_complex_step
        )
        entries = norm(self.entries.rounding.entries * direction)
        return float((self.gradient * direction).sum()) - slope, entries + error, slope, error

    def _is_still_wrong(self, directions):
        """Return whether slopes differ by more than the rounding errors as measured again."""
        self.entries.remeasure()
        smooth = numpy.flatnonzero(self.entries.smooth())
        noise = self.entries.complex_noise(smooth) if self.by_complex_step else 0.0
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
        self.entries.measure(Bundle(self.leaf_index, numpy.array([entry])))
        if entry in self.entries.kinks or self.entries.is_within(entry):
            return entry, False
        return entry, self.entries.is_wrong(entry)
