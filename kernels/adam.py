"""Adam in two passes over a gradient: its norm, then the step."""

import numpy
from numba import njit, prange

from kvnet.kernels.parts.compile_options import OPTIONS, PARALLEL
from kvnet.kernels.sgd import as_matrix, clip_scales_of
from kvnet.updates.noisy_adam import BETA_1, BETA_2, corrected_rate


@njit(**OPTIONS)
def _step_rows(theta, m, v, rows, gradient, scale, rate, epsilon, lo, hi):
    gain_1, gain_2 = theta.dtype.type(1 - BETA_1), theta.dtype.type(1 - BETA_2)
    for n in range(lo, hi):
        to, mean, square, g = theta[rows[n]], m[rows[n]], v[rows[n]], gradient[n]
        for e in range(len(g)):
            clipped = scale * g[e]
            mean[e] += gain_1 * (clipped - mean[e])
            square[e] += gain_2 * (clipped * clipped - square[e])
            to[e] -= rate * mean[e] / (numpy.sqrt(square[e]) + epsilon)


@njit(**PARALLEL)
def _step(theta, m, v, rows, gradient, scale, rate, epsilon, bounds):
    for k in prange(len(bounds) - 1):
        _step_rows(theta, m, v, rows, gradient, scale, rate, epsilon, bounds[k], bounds[k + 1])


def adam(xp, params, m, v, gradients, step, learning_rate, epsilon, max_norm, clip):
    """Fused form of `kvnet.updates.adam`: the norm of a gradient, then its step.

    Parameters and references: see there.
    """
    rate = corrected_rate(learning_rate, step)
    for name, rows, values, bounds, scale in clip_scales_of(gradients, max_norm, clip):
        constants = map(values.dtype.type, (scale, rate, epsilon))
        arrays = (as_matrix(x[name]) for x in (params, m, v))
        _step(*arrays, rows, values, *constants, bounds)
