"""The noise of a function's values that rounding causes."""

from math import comb, factorial
from typing import NamedTuple

import numpy

from kvnet.gradcheck.norms import norm
from kvnet.gradcheck.random_numbers import random_factors

POINTS = 6  # on each side
ORDERS = (3, 4)  # differences of lower order may still contain the function itself


def _difference_matrix():
    """Return the differences of each order as a matrix, scaled so that noise keeps its size."""
    rows = []
    for order in ORDERS:
        coefficients = [(-1) ** (order - k) * comb(order, k) for k in range(order + 1)]
        count = POINTS - order
        scale = (factorial(order) ** 2 / factorial(2 * order) / count) ** 0.5
        for first in range(count):
            rest = count - 1 - first
            rows.append([0.0] * first + [scale * c for c in coefficients] + [0.0] * rest)
    return numpy.array(rows)


DIFFERENCES = _difference_matrix()
FIRST_ROWS = numpy.cumsum([0, *(POINTS - order for order in ORDERS[:-1])])


class Noise(NamedTuple):
    """Standard deviation of the rounding errors of an array.

    Attributes
    ----------
    norm : float
        Of the whole array.
    entries : array
        Of each entry. Both are infinite where a value is not finite on both sides.
    precision : float
        Relative noise of most entries if it was measured at distant points, because the function
        computes in a lower precision than its inputs have; otherwise 0.
    """

    norm: float
    entries: numpy.ndarray
    precision: float = 0.0


def nearby_points(
    x: numpy.ndarray, spacing: float, rng: numpy.random.Generator, sides: int = 2
) -> list[numpy.ndarray]:
    """Return equally spaced points on a line through x, on one side and then on the other.

    x itself is excluded, because a kink is more likely at x than next to it.

    Parameters
    ----------
    x : array
    spacing : float
        Distance of two points, relative to each entry.
    rng : numpy.random.Generator
        Draws the direction.
    sides : {1, 2}

    Returns
    -------
    points : list of array
        In x's dtype.
    """
    direction = spacing * x * random_factors(rng, x.shape)
    steps = [*range(1, POINTS + 1), *range(-1, -POINTS - 1, -1)][: sides * POINTS]
    return [(x + step * direction).astype(x.dtype) for step in steps]


def spacing_for(epsilon: float) -> float:
    """Return the relative distance of points at which a function's noise is measured.

    It is small enough that the curvature of a smooth function between the points is negligible,
    and large enough that its rounding errors at the points are independent.
    """
    return float(epsilon) ** (2 / 3)


def estimate_noise(values: numpy.ndarray) -> Noise:
    """Estimate the noise of arrays from the high-order differences of their values.

    Repeated differences remove the smooth part and keep the noise, whose standard deviation grows
    by a known factor with each order. Each side is estimated separately. For the norm the smaller
    estimate is returned, because a kink on one side looks like noise; for single entries, whose
    estimates vary more, the mean square.

    Parameters
    ----------
    values : array [points, ...]
        The values at `nearby_points`.

    Returns
    -------
    noise : Noise
        The largest estimate of any order.

    References
    ----------
    Moré and Wild 2011, "Estimating computational noise".
    """
    shape = values.shape[1:]
    sides = values.reshape(len(values) // POINTS, POINTS, int(numpy.prod(shape)))
    relative = sides - sides[:, :1]  # exact, so that the matrix adds no noise of its own
    relative = numpy.asarray(relative, "float64")
    size = abs(relative).max(axis=(0, 1), initial=0.0)
    size = numpy.where((size > 0) & (size < numpy.inf), size, 1.0)  # whose squares are floats
    squares = (DIFFERENCES @ (relative / size)) ** 2
    by_order = size * numpy.sqrt(numpy.add.reduceat(squares, FIRST_ROWS, axis=1))
    by_order[~numpy.isfinite(by_order)] = numpy.inf  # one side may be outside the domain
    norms = [max(map(norm, orders)) for orders in by_order]
    sides = by_order.max(axis=1)
    one = sides.min(axis=0)
    both = numpy.sqrt((sides**2).mean(axis=0)) if sides.max(initial=0.0) < 1e150 else sides.max(0)
    entries = numpy.where(numpy.isfinite(both), both, one)
    return Noise(min(norms), entries.reshape(shape))
