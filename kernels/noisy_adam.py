"""The published update in one pass over a parameter."""

import numpy
from numba import njit

from kvnet.kernels.slots import OPTIONS
from kvnet.training.noisy_adam import BETA_1, BETA_2, corrected_rate


@njit(**OPTIONS)
def _update(theta, g, noise, m, v, clip_norm, gain_1, gain_2, rate, epsilon):
    total = g[0] * g[0]
    for i in range(1, theta.size):
        total += g[i] * g[i]
    scale = clip_norm / max(numpy.sqrt(total), clip_norm)
    for i in range(theta.size):
        x = scale * g[i] + noise[i]
        m[i] += gain_1 * (x - m[i])
        v[i] += gain_2 * (x * x - v[i])
        theta[i] -= rate * m[i] / (numpy.sqrt(v[i]) + epsilon)


def noisy_adam(xp, theta, gradient, noise, m, v, step, clip_norm, learning_rate, epsilon):
    """Do what `kvnet.training.noisy_adam` does.

    Parameters and source: see there.
    """
    gradient = numpy.ascontiguousarray(gradient)
    rate = corrected_rate(learning_rate, step)
    numbers = (clip_norm, 1 - BETA_1, 1 - BETA_2, rate, epsilon)
    _update(
        *(array.reshape(-1) for array in (theta, gradient, noise, m, v)),
        *map(theta.dtype.type, numbers),  # of the arrays' dtype, or the loop would run in float64
    )
