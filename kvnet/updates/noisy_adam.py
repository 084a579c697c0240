"""The update of the Key-Value Memory Network: L2 penalty, clip, noise, Adam."""

from typing import NamedTuple

from kvnet.operations.l2_penalty import l2_penalty
from kvnet.operations.normal import normal

BETA_1, BETA_2 = 0.9, 0.999
NOISE_DEVIATION = 1e-3


class UpdateRule(NamedTuple):
    """The constants of an update.

    Attributes
    ----------
    sections : tuple of (start, stop)
        Where each parameter is in the vector of all. Each is clipped separately.
    silent : tuple of (start, stop)
        Parts that get no noise: the nil word's embeddings, which stay zero.
    l2_lambda : float
        λ of the penalty ``λ/2 ‖θ‖²``.
    clip_norm : float
        Largest norm of a parameter's gradient.
    epsilon : float
        Adam's ε.
    random_state : int
        Seed of the noise.
    noise_deviation : float
        Standard deviation of the noise.
    """

    sections: tuple[tuple[int, int], ...]
    silent: tuple[tuple[int, int], ...]
    l2_lambda: float
    clip_norm: float
    epsilon: float
    random_state: int
    noise_deviation: float = NOISE_DEVIATION


def clip_by_norm(xp, gradient, max_norm: float):
    """Scale a gradient down to a norm: ``g min(1, max_norm / ‖g‖)``.

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


def gradient_noise(xp, theta, rule: UpdateRule, step: int):
    """Draw the noise of a step: normal, and zero in the silent parts.

    Parameters
    ----------
    xp : module
        Array module.
    theta : (N,) float array
        Only its shape and dtype are used.
    rule : UpdateRule
    step : int

    Returns
    -------
    noise : (N,) float array
    """
    noise = normal(xp, rule.random_state, "gradient noise", step, theta.shape, theta.dtype)
    noise *= rule.noise_deviation
    for start, stop in rule.silent:
        noise[start:stop] = 0
    return noise


def noisy_adam(xp, theta, gradient, m, v, step: int, learning_rate: float, rule: UpdateRule):
    """Update all parameters and their two running means in place.

    ``g = clip(gradient + λ θ) + noise``, ``m += (1 - β₁)(g - m)``, ``v += (1 - β₂)(g² - v)``,
    ``θ -= lr √(1-β₂ᵗ)/(1-β₁ᵗ) · m / (√v + ε)`` with ``t = step + 1``. ε is added before the bias
    correction, which matters at the published ε of 0.1.

    Parameters
    ----------
    xp : module
        Array module.
    theta, gradient, m, v : (N,) float array
        `theta`, `m` and `v` are changed.
    step : int
        Number of steps before this one.
    learning_rate : float
    rule : UpdateRule

    Returns
    -------
    penalty : scalar float array
        ``λ/2 ‖θ‖²`` before the step.

    References
    ----------
    Kingma and Ba 2015 (arXiv 1412.6980), section 2; noise: Neelakantan et al. 2015
    (arXiv 1511.06807), here with a constant deviation.
    """
    penalty, backward_penalty = l2_penalty(xp, theta, rule.l2_lambda)
    gradient = gradient + backward_penalty(1.0)
    sections = [gradient[start:stop] for start, stop in rule.sections]
    g = xp.concatenate([clip_by_norm(xp, section, rule.clip_norm) for section in sections])
    g += gradient_noise(xp, theta, rule, step)
    m += (1 - BETA_1) * (g - m)
    v += (1 - BETA_2) * (g * g - v)
    theta -= corrected_rate(learning_rate, step) * m / (xp.sqrt(v) + rule.epsilon)
    return penalty


def corrected_rate(learning_rate: float, step: int) -> float:
    """Return the learning rate with Adam's bias correction: ``lr √(1-β₂ᵗ)/(1-β₁ᵗ)``."""
    t = step + 1
    return learning_rate * (1 - BETA_2**t) ** 0.5 / (1 - BETA_1**t)
