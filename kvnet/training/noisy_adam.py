"""The published update of one parameter: clip, add noise, Adam."""

BETA_1, BETA_2 = 0.9, 0.999


def clip_by_norm(xp, gradient, max_norm: float):
    """Shorten a gradient to a norm: ``g min(1, max_norm / ‖g‖)``.

    Parameters
    ----------
    xp : module
        Array module.
    gradient : float array
    max_norm : float

    Returns
    -------
    gradient : float array
    """
    norm = xp.sqrt((gradient * gradient).sum())
    return gradient * (max_norm / xp.maximum(norm, max_norm))


def noisy_adam(xp, theta, gradient, noise, m, v, step: int, clip_norm, learning_rate, epsilon):
    """Update a parameter and its two running means in place.

    ``g = clip(gradient) + noise``, ``m += (1 - β₁)(g - m)``, ``v += (1 - β₂)(g² - v)``,
    ``θ -= lr √(1-β₂ᵗ)/(1-β₁ᵗ) · m / (√v + ε)`` with ``t = step + 1``: ε is added before the bias
    correction, which matters at the published ε of 0.1.

    Parameters
    ----------
    xp : module
        Array module.
    theta, gradient, noise, m, v : float array
        Of one shape; `theta`, `m` and `v` are changed.
    step : int
        Steps done before this one.
    clip_norm, learning_rate, epsilon : float

    References
    ----------
    Kingma and Ba 2015 (arXiv 1412.6980), section 2; noise: Neelakantan et al. 2015
    (arXiv 1511.06807), of fixed deviation here.
    """
    g = clip_by_norm(xp, gradient, clip_norm) + noise
    m += (1 - BETA_1) * (g - m)
    v += (1 - BETA_2) * (g * g - v)
    theta -= corrected_rate(learning_rate, step) * m / (xp.sqrt(v) + epsilon)


def corrected_rate(learning_rate: float, step: int) -> float:
    """Correct the learning rate for means that start at zero: ``lr √(1-β₂ᵗ)/(1-β₁ᵗ)``."""
    t = step + 1
    return learning_rate * (1 - BETA_2**t) ** 0.5 / (1 - BETA_1**t)
