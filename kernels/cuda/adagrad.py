"""Gradient descent with a rate for each number, which no number leaves the GPU for."""

from kvnet.kernels.cuda.parts.descent import descend


def adagrad(xp, params, squares, gradients, learning_rate, max_norm, clip):
    """Do what `kvnet.updates.adagrad` does.

    Parameters: see there.
    """
    descend(xp, params, gradients, learning_rate, max_norm, clip, squares)
