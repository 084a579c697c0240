"""Gradient descent with a rate for each number, in two passes over a gradient."""

import numpy
from numba import njit, prange

from kvnet.kernels.parts.compile_options import OPTIONS, PARALLEL
from kvnet.kernels.sgd import clipped


@njit(**OPTIONS)
def _adapt_rows(theta, squares, rows, gradient, scale, rate, lo, hi):
    for n in range(lo, hi):
        to, s, g = theta[rows[n]], squares[rows[n]], gradient[n]
        for e in range(len(g)):
            clipped = scale * g[e]
            s[e] += clipped * clipped
            to[e] -= rate * clipped / numpy.sqrt(s[e])


@njit(**PARALLEL)
def _adapt(theta, squares, rows, gradient, scale, rate, bounds):
    for k in prange(len(bounds) - 1):
        _adapt_rows(theta, squares, rows, gradient, scale, rate, bounds[k], bounds[k + 1])


def adagrad(xp, params, squares, gradients, learning_rate, max_norm, clip):
    """Do what `kvnet.updates.adagrad` does.

    Parameters: see there.
    """
    for name, rows, values, bounds, scale in clipped(gradients, max_norm, clip):
        scale, rate = map(values.dtype.type, (scale, learning_rate))
        _adapt(params[name], squares[name], rows, values, scale, rate, bounds)
