"""Derivatives by central differences, extrapolated to step zero, with an error estimate."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy

from kvnet.gradcheck.moved_function import Bundle, MovedFunction, first_steps, power_of_two

HALVINGS = 3  # differences of the steps h, h/2, h/4
STEP_REDUCTION = 8.0  # the step is divided by this where the estimate does not converge
ATTEMPTS = 8
MOST_ATTEMPTS = 16  # where values are not finite
NEGLIGIBLE = 1e-300  # error of a slope that is 0
NEAR = 2.0**-20
GOOD = 1e-7  # relative error with which an estimate is accepted at once
# The nearest points are h/4 away and extrapolation adds to it: 4 noise / h is the standard
# deviation. The bound is eight of them, because the noise is itself an estimate.
AMPLIFICATION = 32
EPSILON = float(numpy.finfo("float64").eps)
QUANTUM = 2.0**-1074  # the smallest float


class Estimate(NamedTuple):
    """Slopes with their error estimates, each an array with one value per entry.

    Attributes
    ----------
    slope : array
    change : array
        Change of the slope by the last extrapolation.
    rounding : array
        Bound of the slope's rounding error.
    """

    slope: numpy.ndarray
    change: numpy.ndarray
    rounding: numpy.ndarray

    @property
    def error(self) -> numpy.ndarray:
        """Estimated error; infinite where a value is not finite."""
        total = self.change + self.rounding
        return numpy.where(numpy.isfinite(total), total, numpy.inf)

    @property
    def converged(self) -> numpy.ndarray:
        """Whether the change is no larger than rounding errors explain."""
        return self.change <= self.rounding / 8


def slopes(
    moved: MovedFunction,
    bundle: Bundle,
    h: numpy.ndarray,
    depends: numpy.ndarray | bool = False,
    order: float = 4.0,
) -> Estimate:
    """Differentiate by the entries of a bundle by Richardson extrapolation.

    Parameters
    ----------
    moved : MovedFunction
    bundle : Bundle
    h : array
        Largest step of each entry.
    depends : bool array, optional
        Outputs that are known to depend on the entries, though a small step may not show it.
    order : float
        As for `extrapolate`.

    Returns
    -------
    estimate : Estimate

    References
    ----------
    Richardson 1911; Ridders 1982, "Accurate computation of F'(x) and F'(x) F''(x)".
    """
    x = moved.x[bundle.leaf_index].reshape(-1)[bundle.entries]
    differences, largest = [], None
    for k in range(HALVINGS):
        t = h / 2**k
        plus, minus = moved.step(bundle, t), moved.step(bundle, -t)
        distance = (x + t) - (x - t)  # as it is rounded
        depends = depends | (plus != minus)
        difference = moved.weights * ((plus - minus) / bundle.per_output(distance))
        differences.append(bundle.sums(difference))
        largest = largest or (plus, minus)
    far = bundle.per_output((h >= moved.first_steps_of(bundle) / STEP_REDUCTION) * 1.0) > 0
    noise, curvature = _noise_and_curvature(moved, *largest, depends, far)
    rounding = AMPLIFICATION * (bundle.sums(noise) + _least_noise(moved, noise)) / h
    # x + h and x - h are rounded, so that their middle is not x.
    asymmetry = abs(((x + h) - x) - (x - (x - h)))
    rounding += abs(bundle.sums(curvature)) / h * (asymmetry / h)
    return Estimate(*extrapolate(differences, order), rounding)


def slope_along(
    moved: MovedFunction,
    at: Callable[[float], numpy.ndarray],
    h: float,
    point_noise: float,
) -> Estimate:
    """Differentiate the weighted sum of the outputs along a direction.

    Parameters
    ----------
    moved : MovedFunction
    at : callable
        Maps t to the outputs at ``x + t direction``.
    h : float
        Largest t.
    point_noise : float
        Change of the weighted sum by the rounding of ``x + t direction``.
    """
    differences, largest, depends = [], None, False
    for k in range(HALVINGS):
        plus, minus = at(h / 2**k), at(-h / 2**k)
        depends = depends | (plus != minus)
        differences.append(numpy.array([moved.weights @ (plus - minus) * 2**k / (2 * h)]))
        largest = largest or (plus, minus)
    noise, _ = _noise_and_curvature(moved, *largest, depends)
    rounding = (
        AMPLIFICATION * (noise.sum(keepdims=True) + _least_noise(moved, noise) + point_noise) / h
    )
    return Estimate(*extrapolate(differences), rounding)


def careful_slope(moved: MovedFunction, bundle: Bundle) -> Estimate:
    """Differentiate by one entry, with smaller steps where the estimate does not converge.

    A kink or the edge of the domain may lie within a step, and a function such as a logarithm
    varies over the distance x. The estimate with the smallest error is returned.

    Parameters
    ----------
    moved : MovedFunction
    bundle : Bundle
        Of a single entry.
    """
    best, first, depends, found = None, None, None, []
    for attempt, h in enumerate(_candidates(moved, bundle)):
        if depends is None:  # a smaller step may be lost in rounding: a slope of 0, and no noise
            depends = moved.step(bundle, numpy.array([h])) != moved.y
        estimate = slopes(moved, bundle, numpy.array([h]), depends)
        if (
            not estimate.converged
        ):  # the second derivative may jump at x, as at the hinge max(x, 0)²
            other = slopes(moved, bundle, numpy.array([h]), depends, order=2.0)
            estimate = other if other.converged else estimate
        is_good = estimate.converged and estimate.error <= GOOD * abs(estimate.slope)
        if first is not None:  # the entry is much smaller than the first step
            apart = abs(estimate.slope - first.slope) > estimate.error + first.error
            return estimate if estimate.converged and apart else first
        if is_good:
            size = abs(moved.x[bundle.leaf_index].reshape(-1)[bundle.entries])
            if attempt or not 0 < size < NEAR * h:
                return estimate
            first = estimate
        found.append(estimate.slope)
        if best is None or _rank(estimate) < _rank(best):
            best, at = estimate, attempt
        if attempt >= (5 if best.converged else ATTEMPTS) and numpy.isfinite(best.error):
            break
        if best.converged and best.error <= NEGLIGIBLE:
            break
    if not numpy.isfinite(best.error):
        return _one_sided_slope(moved, bundle) or best
    if _varies(best):  # the slope may change with every step, and faster than within one
        near = [abs(slope - best.slope) for slope in found[max(at - 1, 0) : at + 2]]
        best = best._replace(change=numpy.fmax(best.change, 2 * numpy.fmax.reduce(near)))
    return best


def is_good(moved: MovedFunction, bundle: Bundle, estimate: Estimate, h) -> numpy.ndarray:
    """Return for which entries of a bundle smaller steps would not give a better estimate."""
    size = abs(moved.x[bundle.leaf_index].reshape(-1)[bundle.entries])
    accurate = (size >= h) | (size == 0) | (estimate.error <= GOOD * abs(estimate.slope))
    # A kink or a pole closer than this would not show in a difference with a step of h.
    near = (size > 0) & (size < NEAR * h)
    return estimate.converged & ((accurate & ~near) | (estimate.error <= NEGLIGIBLE))


def extrapolate(
    differences: list[numpy.ndarray], order: float = 4.0
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Extrapolate differences of steps h, h/2, h/4, ... to step zero.

    Parameters
    ----------
    differences : list of array
    order : float
        Ratio of successive orders of the truncation error: 4 for central differences, whose error
        has even powers of h only, 2 for one-sided ones.

    Returns
    -------
    slope : array
    change : array
        Absolute change by the last extrapolation.
    """
    row, factor, change = differences, order, abs(differences[-1] - differences[-2])
    while len(row) > 1:
        finer = [b + (b - a) / (factor - 1) for a, b in pairwise(row)]
        change = abs(finer[-1] - row[-1])
        row, factor = finer, order * factor
    return row[0], change


def _one_sided_slope(moved, bundle):
    """Differentiate at the edge of the domain: ``(f(x + h) - f(x)) / h``, extrapolated."""
    best = None
    for side in (1.0, -1.0):
        previous = numpy.nan
        for h in _candidates(moved, bundle):
            points = [moved.step(bundle, numpy.array([side * h / 2**k])) for k in range(4)]
            quotients = [
                numpy.array([moved.weights @ (y - moved.y) * side * 2**k / h])
                for k, y in enumerate(points)
            ]
            noise, _ = _noise_and_curvature(moved, points[0], moved.y)
            slope, change = extrapolate(quotients, 2.0)
            # Where the function is a fractional power, the slope changes with every step.
            change = numpy.fmax(change, abs(slope - previous))
            estimate = Estimate(slope, change, 4 * AMPLIFICATION * noise.sum(keepdims=True) / h)
            if best is None or _rank(estimate) < _rank(best):
                best = estimate
            previous = slope
    return best if numpy.isfinite(best.error) else None


def _least_noise(moved, noise):
    """Return the noise of terms that cancel in the outputs, and of numbers that underflow."""
    return (moved.hidden_noise if noise.any() else 0.0) + 4 * QUANTUM


def _rank(estimate):
    """Order estimates by their error, those whose change is more than rounding last."""
    return _varies(estimate), float(estimate.error[0])


def _varies(estimate):
    """Return whether the last extrapolation changed the slope by clearly more than rounding."""
    return not estimate.change[0] <= 4 * estimate.rounding[0]


def _noise_and_curvature(moved, plus, minus, depends=False, far=False):
    """Return each output's weighted noise at these points, and its weighted second difference.

    A small step that does not change an output is below the rounding of a larger term.
    """
    changed = (plus != moved.y) | (minus != moved.y)
    size = numpy.maximum(abs(plus), abs(minus))
    noise = numpy.maximum(numpy.maximum(moved.noise, moved.epsilon * size), QUANTUM)
    noise = numpy.where(far | ~changed, numpy.maximum(noise, moved.distant_noise), noise)
    changed |= depends
    curvature = moved.weights * ((plus - moved.y) - (moved.y - minus))
    return numpy.where(changed, abs(moved.weights) * noise, 0.0), curvature


def _candidates(moved, bundle) -> Iterator[float]:
    """Yield steps: the first one, and ever smaller ones, absolute and relative to the entry."""
    i = bundle.leaf_index
    size = abs(float(moved.x[i].reshape(-1)[bundle.entries[0]]))
    scale = size or float(moved.scales[i].flat[bundle.entries[0]])
    first = float(first_steps(numpy.array(size), moved.epsilon))
    relative = float(power_of_two(numpy.array(moved.epsilon ** (1 / 7) * scale)))
    yield first
    for attempt in range(MOST_ATTEMPTS):
        if relative < first / STEP_REDUCTION:
            yield relative / STEP_REDUCTION**attempt
        if first / STEP_REDUCTION ** (attempt + 1) > relative or relative >= first / STEP_REDUCTION:
            yield first / STEP_REDUCTION ** (attempt + 1)
