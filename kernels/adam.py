"""Adam in two passes over a gradient: its norm, then the step."""

from functools import cache

import numpy

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, as_int32
from kvnet.kernels.parts.threads import map_on_all_threads
from kvnet.kernels.sgd import as_matrix
from kvnet.updates.noisy_adam import BETA_1, BETA_2, corrected_rate
from kvnet.updates.row_gradient import RowGradient
from kvnet.updates.sgd import clip_scales

ROWS_PER_BLOCK = 2000


@cache
def _all_rows(count):
    """Return the rows of a gradient that has them all, which are the same in every step."""
    return numpy.arange(count, dtype=numpy.int32)


@njit(**NOT_INLINED)
def _sum_of_squares(gradient, lo, hi):
    total = gradient.dtype.type(0)
    for n in range(lo, hi):
        for e in range(gradient.shape[1]):
            total += gradient[n, e] * gradient[n, e]
    return total


@njit(**NOT_INLINED)
def _step(theta, m, v, rows, gradient, scale, rate, epsilon, lo, hi):
    gain_1, gain_2 = theta.dtype.type(1 - BETA_1), theta.dtype.type(1 - BETA_2)
    for n in range(lo, hi):
        to, mean, square, g = theta[rows[n]], m[rows[n]], v[rows[n]], gradient[n]
        for e in range(len(g)):
            clipped = scale * g[e]
            mean[e] += gain_1 * (clipped - mean[e])
            square[e] += gain_2 * (clipped * clipped - square[e])
            to[e] -= rate * mean[e] / (numpy.sqrt(square[e]) + epsilon)


def adam(xp, params, m, v, gradients, step, learning_rate, epsilon, max_norm, clip):
    """Fused form of `kvnet.updates.adam`: the norm of a gradient, then its step.

    Parameters and references: see there.
    """
    found, squares = {}, {}
    for name, gradient in gradients.items():
        if not isinstance(gradient, RowGradient):
            gradient = RowGradient(_all_rows(len(gradient)), as_matrix(gradient))
        rows, values = as_int32(gradient.rows), numpy.ascontiguousarray(gradient.values)
        cuts = cut(len(rows), ROWS_PER_BLOCK)
        by_block = _by_block(_sum_of_squares, cuts, values)
        found[name], squares[name] = (rows, values, cuts), sum(by_block, values.dtype.type(0))
    rate = corrected_rate(learning_rate, step)
    for name, scale in clip_scales(numpy, squares, max_norm, clip).items():
        rows, values, cuts = found[name]
        constants = map(values.dtype.type, (scale, rate, epsilon))
        _by_block(
            _step, cuts, *(as_matrix(x[name]) for x in (params, m, v)), rows, values, *constants
        )


def _by_block(kernel, cuts, *arguments):
    """Call a kernel for each block of rows, on several threads if there are several blocks."""
    blocks = len(cuts) - 1
    if blocks == 1:
        return [kernel(*arguments, 0, cuts[1])]
    return map_on_all_threads(lambda k: kernel(*arguments, cuts[k], cuts[k + 1]), blocks)
