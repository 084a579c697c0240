"""Gradient descent with a learning rate per component."""

from kvnet.updates.sgd import clipped_gradients


def adagrad(
    xp, params, squares, gradients, learning_rate: float, max_norm: float, clip: str
) -> None:
    """Take a step in place: ``s += g²``, ``θ -= lr g / √s`` with the clipped gradient g.

    Parameters
    ----------
    xp : module
        Array module.
    params, squares : dict of str to float array
        θ and s, changed in place; s is above zero. Rows without a gradient do not change.
    gradients, learning_rate, max_norm, clip
        As for `sgd`.

    References
    ----------
    Duchi, Hazan and Singer 2011, "Adaptive subgradient methods for online learning and stochastic
    optimization".
    """
    for name, rows, g in clipped_gradients(xp, gradients, max_norm, clip):
        squares[name][rows] += g * g
        params[name][rows] -= learning_rate * g / xp.sqrt(squares[name][rows])
