"""Kinks: where a function has no derivative because its slope, or its value, jumps."""

from collections.abc import Callable
from typing import NamedTuple

STEPS = (2.0**-17, 2.0**-22, 2.0**-27)  # a kink nearer than the last is as good as at the point


class Kink(NamedTuple):
    """An entry of an input where the function has a left and a right slope.

    Attributes
    ----------
    index : tuple of int
    left, right : float
        The slopes on either side. Where the function's value jumps, one of them is enormous.
    """

    index: tuple[int, ...]
    left: float
    right: float

    def __str__(self) -> str:
        """Say where, and the two slopes."""
        where = ", ".join(map(str, self.index))
        return f"[{where}] (slope {self.left:.4g} left of it, {self.right:.4g} right of it)"


def one_sided_slopes(
    f: Callable[[float], float], scale: float, point_noise: float, noise: float
) -> tuple[float, float] | None:
    """Return a function's slopes left and right of zero where they differ, otherwise None.

    The two differ by about h f'' where f is smooth, so a smaller step brings them together; at a
    kink they stay apart.

    Parameters
    ----------
    f : callable
    scale : float
        What the steps are in proportion to.
    point_noise, noise : float
        Rounding error of a point at which f is computed, and of its value.

    Returns
    -------
    slopes : (left, right) or None
    """
    middle, apart = f(0.0), []
    for step in STEPS:
        step *= scale
        left, right = (middle - f(-step)) / step, (f(step) - middle) / step
        rounding = 16 * (noise + point_noise * max(abs(left), abs(right))) / step
        apart.append(abs(right - left))
        if apart[-1] <= rounding or (len(apart) > 1 and apart[-1] <= apart[-2] / 2):
            return None
    return left, right
