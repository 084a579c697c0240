"""Derivatives by central differences, extrapolated to step zero, with an error estimate."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy

from kvnet.gradcheck.moved_function import MANTISSA, Bundle, MovedFunction

HALVINGS = 3  # differences of the steps h, h/2, h/4
STEP_REDUCTION = 8.0  # the step is divided by this where the estimate does not converge
ATTEMPTS = 8
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


def first_steps(sizes: numpy.ndarray, epsilon: float) -> numpy.ndarray:
    """Return the first step for entries of these sizes, a power of two.

    Extrapolation of three differences has a truncation error of the order of h⁶ and a rounding
    error of ε / h; the two are equal near h = ε^(1/7), which is 6e-3 in float64. The curvature of
    functions such as exp varies over distances near 1 for x of any size, so the step does not grow
    with x; beyond 1024 it has to, because x + h is rounded.
    """
    return _power_of_two(epsilon ** (1 / 7) * numpy.maximum(1.0, sizes / MANTISSA))


def slopes(moved: MovedFunction, bundle: Bundle, h: numpy.ndarray) -> Estimate:
    """Differentiate by the entries of a bundle by Richardson extrapolation.

    Parameters
    ----------
    moved : MovedFunction
    bundle : Bundle
    h : array
        Largest step of each entry.

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
        difference = moved.weights * ((plus - minus) / bundle.per_output(distance))
        differences.append(bundle.sums(difference))
        largest = largest or (plus, minus)
    noise, curvature = _noise_and_curvature(moved, *largest)
    rounding = AMPLIFICATION * bundle.sums(noise) / h
    # x + h and x - h are rounded, so that their middle is not x.
    rounding += abs(bundle.sums(curvature)) / h**2 * EPSILON * numpy.maximum(abs(x), h)
    return Estimate(*extrapolate(differences), rounding)


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
    differences, largest = [], None
    for k in range(HALVINGS):
        plus, minus = at(h / 2**k), at(-h / 2**k)
        differences.append(numpy.array([moved.weights @ (plus - minus) * 2**k / (2 * h)]))
        largest = largest or (plus, minus)
    noise, _ = _noise_and_curvature(moved, *largest)
    rounding = AMPLIFICATION * (noise.sum(keepdims=True) + point_noise) / h
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
    best = None
    for attempt, h in enumerate(_candidates(moved, bundle)):
        estimate = slopes(moved, bundle, numpy.array([h]))
        if best is None or estimate.error < best.error:
            best = estimate
        if best.converged and best.error <= GOOD * abs(best.slope):
            break
        if best.converged and (attempt >= 5 or best.error == 0):
            break
    if numpy.isfinite(best.error).all():
        return best
    return _one_sided_slope(moved, bundle) or best


def is_good(moved: MovedFunction, bundle: Bundle, estimate: Estimate, h) -> numpy.ndarray:
    """Return for which entries of a bundle smaller steps would not give a better estimate."""
    size = abs(moved.x[bundle.leaf_index].reshape(-1)[bundle.entries])
    accurate = (size >= h) | (size == 0) | (estimate.error <= GOOD * abs(estimate.slope))
    return estimate.converged & (accurate | (estimate.error == 0))


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
    for h in _candidates(moved, bundle):
        for side in (1.0, -1.0):
            points = [moved.step(bundle, numpy.array([side * h / 2**k])) for k in range(4)]
            quotients = [
                numpy.array([moved.weights @ (y - moved.y) * side * 2**k / h])
                for k, y in enumerate(points)
            ]
            noise, _ = _noise_and_curvature(moved, points[0], moved.y)
            rounding = AMPLIFICATION * 4 * noise.sum(keepdims=True) / h
            estimate = Estimate(*extrapolate(quotients, 2.0), rounding)
            if best is None or estimate.error < best.error:
                best = estimate
    return best if numpy.isfinite(best.error).all() else None


def _noise_and_curvature(moved, plus, minus):
    """Return each output's weighted noise at these points, and its weighted second difference."""
    changed = (plus != moved.y) | (minus != moved.y)
    size = numpy.maximum(abs(plus), abs(minus))
    noise = numpy.maximum(numpy.maximum(moved.noise, moved.epsilon * size), QUANTUM)
    curvature = moved.weights * ((plus - moved.y) - (moved.y - minus))
    return numpy.where(changed, abs(moved.weights) * noise, 0.0), curvature


def _candidates(moved, bundle) -> Iterator[float]:
    """Yield steps: the first one, and ever smaller ones, absolute and relative to the entry."""
    i = bundle.leaf_index
    size = abs(float(moved.x[i].reshape(-1)[bundle.entries[0]]))
    scale = size or float(moved.scales[i].flat[bundle.entries[0]])
    first = float(first_steps(numpy.array(size), moved.epsilon))
    relative = float(_power_of_two(numpy.array(moved.epsilon ** (1 / 7) * scale)))
    yield first
    for attempt in range(ATTEMPTS):
        if relative < first / STEP_REDUCTION:
            yield relative / STEP_REDUCTION**attempt
        if first / STEP_REDUCTION ** (attempt + 1) > relative or relative >= first / STEP_REDUCTION:
            yield first / STEP_REDUCTION ** (attempt + 1)


def _power_of_two(h):
    return numpy.exp2(numpy.round(numpy.log2(h)))  # so that halving it is exact
