"""Gradient descent that no number leaves the GPU for."""

from kvnet.kernels.cuda.parts.descent import descend


def sgd(xp, params, gradients, learning_rate, max_norm, clip):
    """Do what `kvnet.updates.sgd` does.

    Parameters: see there.
    """
    descend(xp, params, gradients, learning_rate, max_norm, clip)
