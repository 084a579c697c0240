"""Gradient descent in two passes over a gradient: its norm, then the step."""

import numpy

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, OPTIONS, as_int32
from kvnet.kernels.parts.threads import next_block, run_on_all_threads
from kvnet.updates.row_gradient import RowGradient
from kvnet.updates.sgd import clip_scales

ROWS_PER_BLOCK = 250


@njit(**OPTIONS)
def _sum_of_squares(gradient):
    total = gradient[0, 0] * 0
    for n in range(len(gradient)):
        for e in range(gradient.shape[1]):
            total += gradient[n, e] * gradient[n, e]
    return total


@njit(**NOT_INLINED)
def _sum_squares(counters, gradient, bounds, squares):
    k = next_block(counters, 0)
    while k < len(bounds) - 1:
        squares[k] = _sum_of_squares(gradient[bounds[k] : bounds[k + 1]])
        k = next_block(counters, 0)


@njit(**OPTIONS)
def _descend_rows(theta, rows, gradient, rate, lo, hi):
    for n in range(lo, hi):
        to, g = theta[rows[n]], gradient[n]
        for e in range(len(g)):
            to[e] -= rate * g[e]


@njit(**NOT_INLINED)
def _descend(counters, theta, rows, gradient, rate, bounds):
    k = next_block(counters, 0)
    while k < len(bounds) - 1:
        _descend_rows(theta, rows, gradient, rate, bounds[k], bounds[k + 1])
        k = next_block(counters, 0)


def as_matrix(array):
    """Return a view of an array as a matrix; a vector is one column."""
    return array.reshape(len(array), -1)


def clip_scales_of(gradients, max_norm, clip):
    """Yield each gradient's name, rows and values, the bounds of its blocks and its scale."""
    found, squares = {}, {}
    for name, gradient in gradients.items():
        if not isinstance(gradient, RowGradient):
            gradient = RowGradient(numpy.arange(len(gradient)), as_matrix(gradient))
        bounds = cut(len(gradient.rows), ROWS_PER_BLOCK)
        by_block = numpy.empty(len(bounds) - 1, gradient.values.dtype)
        run_on_all_threads(_sum_squares, len(by_block), gradient.values, bounds, by_block)
        found[name], squares[name] = (
            (as_int32(gradient.rows), gradient.values, bounds),
            by_block.sum(),
        )
    for name, scale in clip_scales(numpy, squares, max_norm, clip).items():
        yield name, *found[name], scale


def sgd(xp, params, gradients, learning_rate, max_norm, clip):
    """Fused form of `kvnet.updates.sgd`: the norm of a gradient, then its step.

    Parameters: see there.
    """
    for name, rows, values, bounds, scale in clip_scales_of(gradients, max_norm, clip):
        rate = values.dtype.type(learning_rate * scale)
        step = as_matrix(params[name]), rows, values, rate, bounds
        run_on_all_threads(_descend, len(bounds) - 1, *step)
