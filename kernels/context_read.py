"""The hops of the language model, a block of targets at a time; a slot costs dots, no product."""

import numpy
from numba import int64, njit, prange

from kvnet.kernels.compilation import (
    OPTIONS,
    PARALLEL,
    add_up,
    copy_into,
    cut_questions,
    multiply,
    numbers,
)
from kvnet.kernels.read_slots import sum_by_row
from kvnet.kernels.slots import add_dots, add_sums, mask
from kvnet.kernels.softmax import softmax_backward_rows, softmax_rows


@njit(**OPTIONS)
def _hop_a_block(lo, hi, inputs, everything, left, u, attention):
    u_0, key_readings, value_readings, TK, TV, C, slots, filled, linear_size = inputs
    us, ps = left
    B, H, block = hi - lo, len(attention), slice(lo, hi)
    TK_T, read = numpy.ascontiguousarray(TK.T), numpy.empty((B, len(C)), C.dtype)
    copy_into(us[H * lo : H * lo + B], u_0[block])
    for h in range(H):
        first = H * lo + h * B
        before, p = us[first : first + B], ps[first : first + B]
        after = us[first + B : first + 2 * B] if h + 1 < H else u[block]
        multiply(before, TK_T, p)  # (B, M)
        add_dots(slots[block], filled[block], key_readings, before, p)
        softmax_rows(p, everything[block])
        multiply(p, TV, read)  # (B, E)
        add_sums(slots[block], filled[block], value_readings, p, read)
        multiply(before, C, after)
        add_up(read, after)
        for b in range(B):
            for e in range(linear_size, len(C)):
                after[b, e] = max(after[b, e], 0)
        copy_into(attention[h, block], p)


@njit(**OPTIONS)
def _hop_back_a_block(k, lo, hi, du, inputs, left, u, back):
    _, key_readings, value_readings, TK, TV, C, slots, filled, linear_size = inputs
    us, ps = left
    du_0, d_sums, d_scores, dTK, dTV, dC = back
    B, block = hi - lo, slice(lo, hi)
    H = len(us) // len(u)
    hops = slice(H * lo, H * hi)
    C_T, TV_T = numpy.ascontiguousarray(C.T), numpy.ascontiguousarray(TV.T)
    du, through_TK = du[block].copy(), numpy.empty((B, len(C)), C.dtype)
    for h in range(H - 1, -1, -1):
        first = H * lo + h * B
        d_sum, dp = d_sums[first : first + B], d_scores[first : first + B]
        after = us[first + B : first + 2 * B] if h + 1 < H else u[block]
        copy_into(d_sum, du)
        for b in range(B):
            for e in range(linear_size, len(C)):
                d_sum[b, e] *= after[b, e] > 0
        multiply(d_sum, TV_T, dp)  # (B, M)
        add_dots(slots[block], filled[block], value_readings, d_sum, dp)
        softmax_backward_rows(ps[first : first + B], dp)
        multiply(d_sum, C_T, du)  # (B, E)
        multiply(dp, TK, through_TK)
        add_up(through_TK, du)
        add_sums(slots[block], filled[block], key_readings, dp, du)
    copy_into(du_0[block], du)
    multiply(d_scores[hops].T, us[hops], dTK[k])
    multiply(ps[hops].T, d_sums[hops], dTV[k])
    multiply(us[hops].T, d_sums[hops], dC[k])


@njit(**PARALLEL)
def _forward(bounds, inputs, everything, left, u, attention):
    for k in prange(len(bounds) - 1):
        _hop_a_block(bounds[k], bounds[k + 1], inputs, everything, left, u, attention)


@njit(**PARALLEL)
def _backward(bounds, du, inputs, left, u, back):
    for k in prange(len(bounds) - 1):
        _hop_back_a_block(int64(k), bounds[k], bounds[k + 1], du, inputs, left, u, back)


def context_read(xp, u, key_readings, value_readings, TK, TV, matrix, rows, hops, linear_size):
    """Do what `kvnet.operations.context_read` does, without gathering a slot.

    The temporal encodings' share of scores and sums is one dense product for all targets.

    Parameters, returns and source: see `kvnet.operations.context_read`.
    """
    (B, E), M = u.shape, len(TK)
    slots, filled, bounds = numbers(rows), numpy.full(B, M), cut_questions(B)
    C = numpy.ascontiguousarray(matrix)
    inputs = u, key_readings, value_readings, TK, TV, C, slots, filled, linear_size

    def empty(*shape):
        return numpy.empty(shape, C.dtype)

    last, attention = empty(B, E), empty(hops, B, M)
    us, ps = left = empty(hops * B, E), empty(hops * B, M)  # a block's hops, then the next block's
    _forward(bounds, inputs, mask(None, B), left, last, attention)

    def backward(du):
        du_0, d_sums, d_scores = empty(B, E), empty(hops * B, E), empty(hops * B, M)
        parts = [empty(len(bounds) - 1, *matrix.shape) for matrix in (TK, TV, C)]
        du = numpy.ascontiguousarray(du)
        _backward(bounds, du, inputs, left, last, (du_0, d_sums, d_scores, *parts))
        d_readings = empty(*key_readings.shape), empty(*value_readings.shape)
        hops_left = us, ps, d_sums, d_scores
        sum_by_row(bounds, slots, slots, True, filled, *hops_left, *d_readings)
        return du_0, *d_readings, *(part.sum(axis=0) for part in parts)

    return last, attention, backward
