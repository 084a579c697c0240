"""Gradient descent with a rate for each number."""

from kvnet.training.sgd import clipped


def adagrad(
    xp, params, squares, gradients, learning_rate: float, max_norm: float, clip: str
) -> None:
    """Take a step in place: ``s += g²``, ``θ -= lr g / √s``, g clipped; unused rows stay untouched.

    Parameters
    ----------
    xp : module
        Array module.
    params, squares : dict of str to float array
        Changed; s is above zero.
    gradients, learning_rate, max_norm, clip
        As for `sgd`.

    References
    ----------
    Duchi, Hazan and Singer 2011, "Adaptive subgradient methods for online learning and stochastic
    optimization".
    """
    for name, rows, g in clipped(xp, gradients, max_norm, clip):
        squares[name][rows] += g * g
        params[name][rows] -= learning_rate * g / xp.sqrt(squares[name][rows])
