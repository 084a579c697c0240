"""Adagrad on the GPU, without a copy between host and device."""

from kvnet.kernels.cuda.parts.descent import descend


def adagrad(xp, params, squares, gradients, learning_rate, max_norm, clip):
    """CUDA form of `kvnet.updates.adagrad`.

    Parameters: see there.
    """
    descend(xp, params, gradients, learning_rate, max_norm, clip, squares)
