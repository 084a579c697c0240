"""Gradient descent on the GPU, without a copy between host and device."""

from kvnet.kernels.cuda.parts.descent import descend


def sgd(xp, params, gradients, learning_rate, max_norm, clip):
    """CUDA form of `kvnet.updates.sgd`.

    Parameters: see there.
    """
    descend(xp, params, gradients, learning_rate, max_norm, clip)
