"""How rough rounding makes a smooth function: the noise of its values."""

from math import factorial

import numpy

POINTS = 6  # on either side
STEPS = (*range(1, POINTS + 1), *range(-1, -POINTS - 1, -1))
SMOOTH_ORDERS = 2  # differences of lower orders may still hold the function itself


def points_beside(
    x: numpy.ndarray, epsilon: float, rng: numpy.random.Generator, sides: int = 2
) -> list[numpy.ndarray]:
    """Return equally spaced points on a line through x, on one side and then on the other.

    They lie so near that a smooth function has no curvature to speak of between them, and far
    enough apart that its roundings fall anew. x itself is not among them: a kink is there more
    often than beside it.

    Parameters
    ----------
    x : array
    epsilon : float
        Machine epsilon of the arithmetic.
    rng : numpy.random.Generator
        Of the direction.
    sides : {1, 2}

    Returns
    -------
    points : list of array
        In x's dtype.
    """
    direction = epsilon ** (2 / 3) * x * rng.standard_normal(x.shape)
    return [(x + step * direction).astype(x.dtype) for step in STEPS[: sides * POINTS]]


def noise_of(values) -> float:
    """Estimate the noise of a function from its values at such points, by their high differences.

    Taking differences again and again removes whatever is smooth and leaves noise, whose standard
    deviation grows by a known factor each time. A kink on one side would pass for noise; the
    quieter side counts.

    Parameters
    ----------
    values : sequence of arrays
        One a point.

    Returns
    -------
    noise : float
        Standard deviation, in norm where values are arrays: the largest estimate of any order.

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
