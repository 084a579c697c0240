"""Kinks: points at which a function has no derivative because its slope or value jumps."""

from typing import NamedTuple

import numpy

from kvnet.gradcheck.complex_step import EPSILON, TINY, steps
from kvnet.gradcheck.moved_function import Bundle, MovedFunction

STEPS = (2.0**-12, 2.0**-17, 2.0**-22)  # times the scale; a closer kink counts as at the point
NEXT, NEXT_TO_ZERO = 2.0**-46, 2.0**-40  # the same for a complex step
# Slopes left and right of a point whose difference is a smaller part of them are equal.
SLOPE_DIFFERENCE = 2.0**-20


class Kink(NamedTuple):
    """An entry of an input at which the function has different left and right slopes.

    Attributes
    ----------
    index : tuple of int
    left, right : float
        The one-sided slopes. Where the function's value jumps, one of them is very large.
    """

    index: tuple[int, ...]
    left: float
    right: float

    def __str__(self) -> str:
        """Format the index and the two slopes."""
        index = ", ".join(map(str, self.index))
        return f"[{index}] (slope {self.left:.4g} on the left, {self.right:.4g} on the right)"


class Sides(NamedTuple):
    """Slopes on both sides of a point, per output and without its weight.

    Attributes
    ----------
    left, right : array
    error : array
        Bound of their errors.
    is_kink : bool array
        Whether the two differ at every step, or the value jumps.
    """

    left: numpy.ndarray
    right: numpy.ndarray
    error: numpy.ndarray
    is_kink: numpy.ndarray


class KinkSlopes(NamedTuple):
    """The slopes of the weighted sum of the outputs at one entry with a kink.

    Attributes
    ----------
    left, right : float
    low, high : float
        Between these a gradient must lie. At each output, backward may choose any slope between
        those on both sides of its kink.
    """

    left: float
    right: float
    low: float
    high: float


def sides_by_differences(moved: MovedFunction, at, scale, point_noise) -> Sides:
    """Compare one-sided difference quotients of several steps.

    They differ by about h f'' where f is smooth, so their difference shrinks with the step; at a
    kink it does not. A value that is not finite is the edge of the domain, which is no kink.

    Parameters
    ----------
    moved : MovedFunction
    at : callable
        Maps a step, of scale's shape, to the outputs.
    scale : float or array
        Per output, the factor of all steps.
    point_noise : float or array
        Per output, the rounding error of x + h divided by the scale.
    """
    ratio = (moved.epsilon / EPSILON) ** 0.5  # 1 unless the function computes in float32
    gaps, lefts, rights = [], [], []
    is_kink = numpy.ones(moved.y.shape, bool)
    for factor in STEPS:
        step, h = factor * ratio, factor * ratio * scale
        plus, minus = at(step), at(-step)
        lefts.append((moved.y - minus) / h)
        rights.append((plus - moved.y) / h)
        gaps.append(abs(rights[-1] - lefts[-1]))
        size = numpy.maximum(abs(plus), abs(minus))
        rounding = 16 * numpy.maximum(moved.noise, moved.epsilon * size) / h
        rounding += 16 * point_noise / step * abs(rights[-1] + lefts[-1])
        is_kink &= numpy.isfinite(gaps[-1]) & (gaps[-1] > rounding)
        if len(gaps) > 1:
            is_kink &= gaps[-1] > gaps[-2] / 2
        if not is_kink.any():
            break
    drift = [abs(s[-1] - s[-2]) if len(s) > 1 else abs(s[-1]) for s in (lefts, rights)]
    return Sides(lefts[-1], rights[-1], rounding + numpy.maximum(*drift), is_kink)


def sides_by_complex_step(moved: MovedFunction, at, distance, h) -> Sides:
    """Compare the slopes at points very close to x on both sides, and at points four times as far.

    Parameters
    ----------
    moved : MovedFunction
    at : callable
        Maps a multiple of the distance to the outputs there, with an imaginary step.
    distance, h : float or array
        Per output, the distance of the points from x, and the imaginary step.
    """
    gaps, jumps, is_kink = [], [], numpy.ones(moved.y.shape, bool)
    for factor in (1.0, 4.0):
        right, left = at(factor), at(-factor)
        slopes = right.imag / h, left.imag / h
        size = numpy.maximum(*map(abs, slopes))
        gaps.append(slopes[0] - slopes[1])
        jump = right.real - left.real
        expected = 4 * factor * distance * size + 64 * numpy.maximum(
            moved.noise, moved.epsilon * abs(right.real)
        )
        jumps.append(numpy.where(abs(jump) > expected, jump, 0.0))
        is_kink &= (abs(gaps[-1]) > SLOPE_DIFFERENCE * size) | (jumps[-1] != 0)
        is_kink &= numpy.isfinite(gaps[-1]) & numpy.isfinite(jump)
        if factor == 1:
            first = slopes
        if not is_kink.any():
            return Sides(first[1], first[0], EPSILON * size, is_kink)
    # At a kink the difference is the same at both distances; where f is smooth, it is four times
    # as large at the second one, and where it is noise, it is another one.
    is_kink &= (abs(gaps[1] - gaps[0]) <= abs(gaps[0]) / 4) & (gaps[0] != 0) | (
        abs(jumps[1] - jumps[0]) < abs(jumps[0]) / 4
    )
    steep = jumps[0] / distance
    right = first[0] + numpy.where(is_kink, steep, 0.0)
    return Sides(first[1], right, abs(gaps[1] - gaps[0]), is_kink)


def kinks_of(moved: MovedFunction, bundle: Bundle, by_complex_step: bool) -> dict[int, KinkSlopes]:
    """Find the entries of a bundle at which an output has a kink.

    Parameters
    ----------
    moved : MovedFunction
    bundle : Bundle
    by_complex_step : bool
        Otherwise by differences.

    Returns
    -------
    kinks : dict of int to KinkSlopes
        By index of the entry in the flattened leaf.
    """
    i = bundle.leaf_index
    x = moved.x[i].reshape(-1)[bundle.entries]
    scale = moved.scales[i].reshape(-1)[bundle.entries]
    if by_complex_step:
        distance, h = next_to(x, scale), steps(x, scale)

        def at(factor):
            return moved.step(bundle, factor * distance + 1j * h)

        per_output = bundle.per_output(distance), bundle.per_output(h)
        sides = sides_by_complex_step(moved, at, *per_output)
    else:

        def at(step):
            return moved.step(bundle, step * scale)

        point_noise = EPSILON * numpy.maximum(1.0, abs(x) / scale)
        per_output = bundle.per_output(scale), bundle.per_output(point_noise)
        sides = sides_by_differences(moved, at, *per_output)
    if not sides.is_kink.any():
        return {}
    left, right = moved.weights * sides.left, moved.weights * sides.right
    slack = abs(moved.weights) * sides.error
    low = numpy.where(sides.is_kink, numpy.minimum(left, right), (left + right) / 2) - slack
    high = numpy.where(sides.is_kink, numpy.maximum(left, right), (left + right) / 2) + slack
    found = bundle.sums(sides.is_kink.astype("float64")) > 0
    ends = [bundle.sums(numpy.nan_to_num(v)) for v in (left, right, low, high)]
    return {
        int(bundle.entries[k]): KinkSlopes(*(float(end[k]) for end in ends))
        for k in numpy.flatnonzero(found)
    }


def next_to(x: numpy.ndarray, scale: numpy.ndarray) -> numpy.ndarray:
    """Return how far from each entry the slopes on both sides are computed by a complex step."""
    return numpy.where(x == 0, NEXT_TO_ZERO * scale, NEXT * numpy.maximum(abs(x), TINY))
