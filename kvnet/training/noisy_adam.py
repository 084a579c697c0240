"""The published update: clip, add noise, Adam."""

from typing import NamedTuple

from kvnet.counter_random import normal

BETA_1, BETA_2 = 0.9, 0.999
NOISE_DEVIATION = 1e-3


class UpdateRule(NamedTuple):
    """What an update depends on besides the gradient.

    Attributes
    ----------
    sections : tuple of (start, stop)
        The arrays that make up the vector of parameters; each is clipped on its own.
    silent : tuple of (start, stop)
        Parts that get no noise: the nil word's embeddings, which stay as they are.
    clip_norm : float
        Norm that an array's gradient is clipped to.
    epsilon : float
    random_state : int
        Seed of the noise.
    noise_deviation : float
    """

    sections: tuple[tuple[int, int], ...]
    silent: tuple[tuple[int, int], ...]
    clip_norm: float
    epsilon: float
    random_state: int
    noise_deviation: float = NOISE_DEVIATION


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


def gradient_noise(xp, theta, rule: UpdateRule, step: int):
    """Draw the noise of a step: normal, and zero where a part is silent.

    Parameters
    ----------
    xp : module
        Array module.
    theta : (N,) float array
        Its size and dtype count.
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

    ``g = clip(gradient) + noise``, ``m += (1 - β₁)(g - m)``, ``v += (1 - β₂)(g² - v)``,
    ``θ -= lr √(1-β₂ᵗ)/(1-β₁ᵗ) · m / (√v + ε)`` with ``t = step + 1``: ε is added before the bias
    correction, which matters at the published ε of 0.1.

    Parameters
    ----------
    xp : module
        Array module.
    theta, gradient, m, v : (N,) float array
        `theta`, `m` and `v` are changed.
    step : int
        Steps done before this one.
    learning_rate : float
    rule : UpdateRule

    References
    ----------
    Kingma and Ba 2015 (arXiv 1412.6980), section 2; noise: Neelakantan et al. 2015
    (arXiv 1511.06807), of fixed deviation here.
    """
    parts = [gradient[start:stop] for start, stop in rule.sections]
    g = xp.concatenate([clip_by_norm(xp, part, rule.clip_norm) for part in parts])
    g += gradient_noise(xp, theta, rule, step)
    m += (1 - BETA_1) * (g - m)
    v += (1 - BETA_2) * (g * g - v)
    theta -= corrected_rate(learning_rate, step) * m / (xp.sqrt(v) + rule.epsilon)


def corrected_rate(learning_rate: float, step: int) -> float:
    """Correct the learning rate for means that start at zero: ``lr √(1-β₂ᵗ)/(1-β₁ᵗ)``."""
    t = step + 1
    return learning_rate * (1 - BETA_2**t) ** 0.5 / (1 - BETA_1**t)
