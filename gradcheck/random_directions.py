"""Slopes along random directions: a few of them check an input of any size."""

from collections.abc import Callable

import numpy

from kvnet.gradcheck import central_differences
from kvnet.gradcheck.complex_step import SMALL, STEP, steps
from kvnet.gradcheck.moved_function import MovedFunction
from kvnet.gradcheck.norms import norm
from kvnet.gradcheck.random_numbers import random_factors

DIRECTIONS = 3  # in which all entries move equally far
BALANCED = 2  # in which each entry moves farther, the better it is known
GROUP = 20  # entries whose terms differ by less than 2^20 move together
LARGEST_STEP = 2.0**-7
ATTEMPTS = 8


def directions_by_complex_step(
    moved: MovedFunction,
    leaf_index: int,
    tolerances: numpy.ndarray,
    smooth: numpy.ndarray,
    rng: numpy.random.Generator,
) -> tuple[list[numpy.ndarray], list[numpy.ndarray]]:
    """Draw directions for a complex step.

    In a balanced direction an entry moves in inverse proportion to its tolerance, so that a wrong
    small entry is not hidden by the rounding of a large one.

    Parameters
    ----------
    moved : MovedFunction
    leaf_index : int
    tolerances : array
        Of each entry.
    smooth : bool array
        False for the entries that do not move, such as those at a kink.
    rng : numpy.random.Generator

    Returns
    -------
    plain, balanced : lists of array
        Directions; the imaginary step along them is `STEP`.
    """
    x = moved.x[leaf_index]
    largest = steps(x, moved.scales[leaf_index]) / STEP
    reach = numpy.where(abs(x) >= SMALL, 1.0, largest)
    plain = [smooth * reach * random_factors(rng, x.shape) for _ in range(DIRECTIONS)]
    size = float(numpy.median(tolerances[smooth])) if smooth.any() else 0.0
    known = numpy.maximum(tolerances, 2.0**-60 * size)
    if size == 0 or not (known > 0).all():
        return plain, []
    share = smooth / (known / size)
    share /= max(float((share / largest).max()), 1.0)
    return plain, [share * random_factors(rng, x.shape) for _ in range(BALANCED)]


def directions_by_differences(
    moved: MovedFunction,
    leaf_index: int,
    sizes: numpy.ndarray,
    smooth: numpy.ndarray,
    rng: numpy.random.Generator,
) -> tuple[list[numpy.ndarray], list[numpy.ndarray]]:
    """Draw directions for differences: each entry moves in proportion to its scale.

    Parameters
    ----------
    moved, leaf_index, smooth, rng
        As for `directions_by_complex_step`.
    sizes : array
        Size of each entry of the gradient.

    Returns
    -------
    plain, grouped : lists of array
        All entries move in the former; in each of the latter, only entries whose terms of the
        slope are of similar size.
    """
    scale = moved.scales[leaf_index]
    plain = [smooth * scale * random_factors(rng, scale.shape) for _ in range(DIRECTIONS)]
    terms = numpy.where(smooth, sizes * scale, 0.0)
    with numpy.errstate(divide="ignore"):
        groups = numpy.floor(numpy.log2(terms / (terms.max(initial=0.0) or 1.0)) / GROUP)
    found = numpy.unique(groups[smooth])
    if len(found) < 2:
        return plain, []
    return plain, [(groups == g) * smooth * scale * random_factors(rng, scale.shape) for g in found]


def slope_along(
    moved: MovedFunction,
    leaf_index: int,
    direction: numpy.ndarray,
    sizes: numpy.ndarray,
    by_complex_step: bool,
) -> tuple[float, float]:
    """Differentiate the weighted sum of the outputs along a direction of one leaf.

    Returns
    -------
    slope, error : float
        The error of a complex step is 0: it does not include forward's rounding errors.
    """
    x = moved.x[leaf_index]
    if by_complex_step:
        y = moved.at({leaf_index: x + STEP * 1j * direction})
        return float(moved.weights @ (y.imag / STEP)), 0.0

    def at(t):
        return moved.at({leaf_index: x + t * direction})

    point_noise = central_differences.EPSILON / 4 * norm((direction != 0) * x * sizes)
    best, h = None, LARGEST_STEP * (moved.epsilon / central_differences.EPSILON) ** (1 / 7)
    for _ in range(ATTEMPTS):
        estimate = central_differences.slope_along(moved, at, h, point_noise)
        if best is None or estimate.error < best.error:
            best = estimate
        if best.converged:
            break
        h /= central_differences.STEP_REDUCTION
    return float(best.slope[0]), float(best.error[0])


def worst_entry(
    difference_along: Callable[[numpy.ndarray], float],
    direction: numpy.ndarray,
    rng: numpy.random.Generator,
) -> int:
    """Find an entry at which a gradient is wrong, by bisection towards the half that is worse.

    Parameters
    ----------
    difference_along : callable
        Maps a direction to the difference of the analytic and the numeric slope.
    direction : array
        A direction in which the two differ.
    rng : numpy.random.Generator

    Returns
    -------
    entry : int
        Index in the flattened leaf.
    """
    candidates = numpy.flatnonzero(direction)
    while len(candidates) > 1:
        halves = numpy.array_split(candidates, 2)
        differences = []
        for half in halves:
            part = numpy.zeros(direction.size)
            part[half] = abs(direction.reshape(-1)[half]) * random_factors(rng, half.shape)
            difference = abs(difference_along(part.reshape(direction.shape)))
            differences.append(numpy.inf if numpy.isnan(difference) else difference)
        candidates = halves[int(numpy.argmax(differences))]
    return int(candidates[0])
