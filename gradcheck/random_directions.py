"""Slopes along random directions: a few of them check an input of any size."""

from collections.abc import Callable

import numpy

DIRECTIONS = 3


def directional_errors(
    slope_along: Callable[[numpy.ndarray], tuple[float, float]],
    gradient: numpy.ndarray,
    smooth: numpy.ndarray,
    rng: numpy.random.Generator,
) -> tuple[float, float, float]:
    """Compare a gradient with slopes along normally distributed directions.

    The slope along v should be g · v. For a gradient that is wrong by δ the two differ by δ · v.
    The mean square of δ · v over the directions is ‖δ‖², and δ · v is zero for a δ other than zero
    only with probability zero.

    Parameters
    ----------
    slope_along : callable
        Maps a direction to (slope, error).
    gradient : array
        g, as the backward pass returns it.
    smooth : array of g's shape
        1 for the entries to step, 0 for the others, such as those at a kink.
    rng : numpy.random.Generator

    Returns
    -------
    difference : float
        Root mean square of the differences: an estimate of ‖δ‖.
    norm : float
        Root mean square of the slopes: an estimate of the norm of the true gradient.
    error : float
        The largest error of a slope.
    """
    differences, slopes, errors = [], [], []
    for _ in range(DIRECTIONS):
        direction = rng.standard_normal(gradient.shape) * smooth
        slope, error = slope_along(direction)
        differences.append((gradient * direction).sum() - slope)
        slopes.append(slope)
        errors.append(error)
    root_mean_square = [
        float(numpy.sqrt(numpy.mean(numpy.square(x)))) for x in (differences, slopes)
    ]
    return *root_mean_square, max(errors)


def worst_entry(
    slope_along: Callable[[numpy.ndarray], tuple[float, float]],
    gradient: numpy.ndarray,
    smooth: numpy.ndarray,
    rng: numpy.random.Generator,
) -> tuple[int, ...]:
    """Find an entry at which a gradient is wrong, by bisection towards the half that is worse.

    Parameters
    ----------
    slope_along, gradient, smooth, rng
        As for `directional_errors`.

    Returns
    -------
    index : tuple of int
    """
    candidates = numpy.flatnonzero(smooth)
    while len(candidates) > 1:
        halves = numpy.array_split(candidates, 2)
        differences = []
        for half in halves:
            mask = numpy.zeros(gradient.size)
            mask[half] = 1
            mask = mask.reshape(gradient.shape)
            differences.append(directional_errors(slope_along, gradient, mask, rng)[0])
        candidates = halves[int(numpy.argmax(differences))]
    return tuple(int(i) for i in numpy.unravel_index(candidates[0], gradient.shape))
