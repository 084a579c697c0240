"""Gradient descent in two passes over a gradient: its norm, and the step."""

import numpy
from numba import njit, prange

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_options import OPTIONS, PARALLEL, as_int32
from kvnet.updates.row_gradient import RowGradient
from kvnet.updates.sgd import clip_scales

ROWS_A_BLOCK = 250


@njit(**OPTIONS)
def _sum_of_squares(gradient):
    total = gradient[0, 0] * 0
    for n in range(len(gradient)):
        for e in range(gradient.shape[1]):
            total += gradient[n, e] * gradient[n, e]
    return total


@njit(**PARALLEL)
def _squares(gradient, bounds, parts):
    for k in prange(len(bounds) - 1):
        parts[k] = _sum_of_squares(gradient[bounds[k] : bounds[k + 1]])


@njit(**OPTIONS)
def _descend_rows(theta, rows, gradient, rate, lo, hi):
    for n in range(lo, hi):
        to, g = theta[rows[n]], gradient[n]
        for e in range(len(g)):
            to[e] -= rate * g[e]


@njit(**PARALLEL)
def _descend(theta, rows, gradient, rate, bounds):
    for k in prange(len(bounds) - 1):
        _descend_rows(theta, rows, gradient, rate, bounds[k], bounds[k + 1])


def clipped(gradients, max_norm, clip):
    """Give each parameter's name, rows with a gradient, that, their blocks and the factor."""
    found, squares = {}, {}
    for name, gradient in gradients.items():
        if not isinstance(gradient, RowGradient):
            gradient = RowGradient(numpy.arange(len(gradient)), gradient)
        bounds = cut(len(gradient.rows), ROWS_A_BLOCK)
        parts = numpy.empty(len(bounds) - 1, gradient.values.dtype)
        _squares(gradient.values, bounds, parts)
        found[name], squares[name] = (as_int32(gradient.rows), gradient.values, bounds), parts.sum()
    for name, scale in clip_scales(numpy, squares, max_norm, clip).items():
        yield name, *found[name], scale


def sgd(xp, params, gradients, learning_rate, max_norm, clip):
    """Do what `kvnet.updates.sgd` does.

    Parameters: see there.
    """
    for name, rows, values, bounds, scale in clipped(gradients, max_norm, clip):
        _descend(params[name], rows, values, values.dtype.type(learning_rate * scale), bounds)
