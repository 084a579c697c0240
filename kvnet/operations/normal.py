"""Normal random numbers."""

from math import pi, prod

from kvnet.operations.uniform import uniform


def normal(xp, seed: int, purpose: str, step: int, shape, dtype, draw=uniform):
    """Draw standard normal numbers: Box-Muller on pairs of `uniform`.

    Parameters
    ----------
    xp, seed, purpose, step, shape, dtype
        As for `uniform`.
    draw : callable
        `uniform` or its fused form.

    Returns
    -------
    z : array of `shape`
    """
    count = prod(shape)
    pairs = draw(xp, seed, purpose, step, ((count + 1) // 2, 2), dtype)
    radius = xp.sqrt(-2 * xp.log(pairs[:, 0]))
    angle = 2 * pi * pairs[:, 1]
    z = xp.empty_like(pairs)
    z[:, 0], z[:, 1] = radius * xp.cos(angle), radius * xp.sin(angle)
    return z.reshape(-1)[:count].reshape(shape)
