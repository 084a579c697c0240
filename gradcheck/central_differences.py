"""Derivatives by central differences, extrapolated to step zero, with an error estimate."""

from collections.abc import Callable
from itertools import pairwise
from math import log2

STEP_REDUCTION = 8.0  # the step is divided by this where the estimate does not converge
ATTEMPTS = 6


def derivative(
    f: Callable[[float], float], scale: float, point_noise: float, noise: float
) -> tuple[float, float]:
    """Differentiate at zero by Richardson extrapolation of ``(f(h) - f(-h)) / 2h``.

    Where the estimated error exceeds what rounding explains, for example because a kink lies within
    the step, the step is reduced until the kink is outside it. The best estimate is returned.

    Parameters
    ----------
    f : callable
    scale : float
        The first step.
    point_noise, noise : float
        Rounding error of a point at which f is computed, and of its value.

    Returns
    -------
    slope : float
    error : float
        Estimated error: the change by the last extrapolation, plus the rounding error.

    References
    ----------
    Richardson 1911; Ridders 1982, "Accurate computation of F'(x) and F'(x) F''(x)".
    """
    step = 2.0 ** round(log2(scale))  # a power of two, so that halving it is exact
    slope, error = 0.0, float("inf")
    for _ in range(ATTEMPTS):
        new_slope, change = extrapolate([difference(f, step / 2**k) for k in range(3)])
        # The nearest points are h/4 away and extrapolation adds to it: 4 noise / h is the standard
        # deviation. The bound is eight of them, because the noise is itself an estimate.
        rounding = 32 * (noise + point_noise * abs(new_slope)) / step
        if change + rounding < error:
            slope, error = new_slope, change + rounding
        if change <= 4 * rounding:
            break
        step /= STEP_REDUCTION
    return slope, error


def difference(f: Callable[[float], float], step: float) -> float:
    """Return ``(f(h) - f(-h)) / 2h``."""
    return (f(step) - f(-step)) / (2 * step)


def extrapolate(differences: list[float]) -> tuple[float, float]:
    """Extrapolate central differences of steps h, h/2, h/4, ... to step zero.

    Parameters
    ----------
    differences : list of float

    Returns
    -------
    slope : float
    change : float
        Absolute change by the last extrapolation.
    """
    row, factor, change = differences, 4.0, abs(differences[-1] - differences[-2])
    while len(row) > 1:
        finer = [b + (b - a) / (factor - 1) for a, b in pairwise(row)]
        change = abs(finer[-1] - row[-1])
        row, factor = finer, 4 * factor
    return row[0], change
