"""Kinks: points at which a function has no derivative because its slope or value jumps."""

from collections.abc import Callable
from typing import NamedTuple

STEPS = (2.0**-17, 2.0**-22, 2.0**-27)  # a kink closer than the last step counts as at the point


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


def one_sided_slopes(
    f: Callable[[float], float], scale: float, point_noise: float, noise: float
) -> tuple[float, float] | None:
    """Return a function's slopes left and right of zero where they differ, otherwise None.

    The two differ by about h f'' where f is smooth, so their difference shrinks with the step; at a
    kink it does not.

    Parameters
    ----------
    f : callable
    scale : float
        Factor of all steps.
    point_noise, noise : float
        Rounding error of a point at which f is computed, and of its value.

    Returns
    -------
    slopes : (left, right) or None
    """
    middle, gaps = f(0.0), []
    for step in STEPS:
        step *= scale
        left, right = (middle - f(-step)) / step, (f(step) - middle) / step
        rounding = 16 * (noise + point_noise * max(abs(left), abs(right))) / step
        gaps.append(abs(right - left))
        if gaps[-1] <= rounding or (len(gaps) > 1 and gaps[-1] <= gaps[-2] / 2):
            return None
    return left, right
