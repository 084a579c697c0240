"""The noise of a function's values that rounding causes."""

from math import factorial

import numpy

POINTS = 6  # on each side
STEPS = (*range(1, POINTS + 1), *range(-1, -POINTS - 1, -1))
SMOOTH_ORDERS = 2  # differences up to this order may still contain the function itself


def nearby_points(
    x: numpy.ndarray, epsilon: float, rng: numpy.random.Generator, sides: int = 2
) -> list[numpy.ndarray]:
    """Return equally spaced points on a line through x, on one side and then on the other.

    The spacing is small enough that the curvature of a smooth function between the points is
    negligible, and large enough that its rounding errors at the points are independent. x itself is
    excluded, because a kink is more likely at x than next to it.

    Parameters
    ----------
    x : array
    epsilon : float
        Machine epsilon of the arithmetic.
    rng : numpy.random.Generator
        Draws the direction.
    sides : {1, 2}

    Returns
    -------
    points : list of array
        In x's dtype.
    """
    direction = epsilon ** (2 / 3) * x * rng.standard_normal(x.shape)
    return [(x + step * direction).astype(x.dtype) for step in STEPS[: sides * POINTS]]


def estimate_noise(values) -> float:
    """Estimate the noise of a function from the high-order differences of its values.

    Repeated differences remove the smooth part and keep the noise, whose standard deviation grows
    by a known factor with each order. Each side is estimated separately and the smaller estimate is
    returned, because a kink on one side looks like noise.

    Parameters
    ----------
    values : sequence of arrays
        The values at `nearby_points`, one per point.

    Returns
    -------
    noise : float
        Standard deviation (in norm where values are arrays): the largest estimate of any order.

    References
    ----------
    Moré and Wild 2011, "Estimating computational noise".
    """
    values = numpy.asarray(values, "float64")
    return min(_noise_of_side(side) for side in numpy.split(values, len(values) // POINTS))


def _noise_of_side(differences):
    estimates = []
    for order in range(1, POINTS - 1):
        differences = numpy.diff(differences, axis=0)
        if order > SMOOTH_ORDERS:
            spread = factorial(order) ** 2 / factorial(2 * order)
            estimates.append((spread * (differences**2).mean(axis=0).sum()) ** 0.5)
    return float(max(estimates))
