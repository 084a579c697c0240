"""Gradient descent with a learning rate per component, in two passes over a gradient."""

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, OPTIONS
from kvnet.kernels.parts.threads import next_block, run_on_all_threads
from kvnet.kernels.sgd import as_matrix, clip_scales_of


@njit(**OPTIONS)
def _adapt_rows(theta, squares, rows, gradient, scale, rate, lo, hi):
    for n in range(lo, hi):
        to, s, g = theta[rows[n]], squares[rows[n]], gradient[n]
        for e in range(len(g)):
            clipped = scale * g[e]
            s[e] += clipped * clipped
            to[e] -= rate * clipped / numpy.sqrt(s[e])


@njit(**NOT_INLINED)
def _adapt(counters, theta, squares, rows, gradient, scale, rate, bounds):
    k = next_block(counters, 0)
    while k < len(bounds) - 1:
        _adapt_rows(theta, squares, rows, gradient, scale, rate, bounds[k], bounds[k + 1])
        k = next_block(counters, 0)


def adagrad(xp, params, squares, gradients, learning_rate, max_norm, clip):
    """Fused form of `kvnet.updates.adagrad`: the norm of a gradient, then its step.

    Parameters and references: see there.
    """
    for name, rows, values, bounds, scale in clip_scales_of(gradients, max_norm, clip):
        scale, rate = map(values.dtype.type, (scale, learning_rate))
        theta, sums = as_matrix(params[name]), as_matrix(squares[name])
        step = theta, sums, rows, values, scale, rate, bounds
        run_on_all_threads(_adapt, len(bounds) - 1, *step)
