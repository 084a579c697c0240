"""Adam on the rows that have a gradient."""

from kvnet.updates.noisy_adam import BETA_1, BETA_2, corrected_rate
from kvnet.updates.sgd import clipped_gradients


def adam(
    xp,
    params,
    m,
    v,
    gradients,
    step: int,
    learning_rate: float,
    epsilon: float,
    max_norm: float,
    clip: str,
) -> None:
    """Take a step in place; rows without a gradient do not change, and neither do their means.

    ``m += (1 - β₁)(g - m)``, ``v += (1 - β₂)(g² - v)``,
    ``θ -= lr √(1-β₂ᵗ)/(1-β₁ᵗ) · m / (√v + ε)`` with the clipped gradient g and ``t = step + 1``.

    Parameters
    ----------
    xp : module
        Array module.
    params, m, v : dict of str to float array
        Changed in place.
    gradients : dict of str to float array or RowGradient
    step : int
        Number of steps before this one.
    learning_rate, epsilon : float
    max_norm, clip
        As for `sgd`.

    References
    ----------
    Kingma and Ba 2015 (arXiv 1412.6980), section 2.
    """
    rate = corrected_rate(learning_rate, step)
    for name, rows, g in clipped_gradients(xp, gradients, max_norm, clip):
        m[name][rows] += (1 - BETA_1) * (g - m[name][rows])
        v[name][rows] += (1 - BETA_2) * (g * g - v[name][rows])
        params[name][rows] -= rate * m[name][rows] / (xp.sqrt(v[name][rows]) + epsilon)
