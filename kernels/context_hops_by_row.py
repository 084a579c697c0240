"""The hops of the language model, a block of targets at a time; a word costs dots, no product."""

import numpy
from numba import njit, prange

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_options import OPTIONS, PARALLEL, as_int32
from kvnet.kernels.parts.distinct_words import (
    add_word_dots,
    add_word_sums,
    find_distinct,
    four_fold,
    scatter_hops,
)
from kvnet.kernels.parts.matrices import add_up, copy_into, multiply
from kvnet.kernels.parts.softmax_rows import softmax_backward_rows, softmax_rows
from kvnet.operations.memory import ContextMemory

TARGETS_A_BLOCK = 8  # few enough for their words' readings to stay in a core's cache over all hops
COMPONENTS_A_BLOCK = 80


@njit(**OPTIONS)
def _hop_a_block(lo, hi, inputs, everything, words, left, u, attention):
    u_0, key_readings, value_readings, TK, TV, C, slots, linear_size = inputs
    us, ps, weights = left
    B, H, block = hi - lo, len(attention), slice(lo, hi)
    held, places, counts = words[0][block], words[1][block], words[2][block]
    find_distinct(slots[block], len(key_readings), held, places, counts)
    TK_T, read = numpy.ascontiguousarray(TK.T), numpy.empty((B, len(C)), C.dtype)
    dots = numpy.empty(held.shape[1], C.dtype)
    copy_into(us[H * lo : H * lo + B], u_0[block])
    for h in range(H):
        first = H * lo + h * B
        before, p = us[first : first + B], ps[first : first + B]
        after = us[first + B : first + 2 * B] if h + 1 < H else u[block]
        multiply(before, TK_T, p)  # (B, M)
        for b in range(B):
            add_word_dots(held[b], places[b], counts[b], key_readings, before[b], dots, p[b])
        softmax_rows(p, everything[block])
        multiply(p, TV, read)  # (B, E)
        for b in range(B):
            shares = weights[first + b]
            add_word_sums(held[b], places[b], counts[b], value_readings, p[b], shares, read[b])
        multiply(before, C, after)
        add_up(read, after)
        for b in range(B):
            for e in range(linear_size, len(C)):
                after[b, e] = max(after[b, e], 0)
        copy_into(attention[h, block], p)


@njit(**OPTIONS)
def _hop_back_a_block(lo, hi, du, inputs, words, left, u, back):
    _, key_readings, value_readings, TK, TV, C, _, linear_size = inputs
    us, ps, _ = left
    du_0, d_sums, d_scores, d_weights = back
    B, block = hi - lo, slice(lo, hi)
    held, places, counts = words[0][block], words[1][block], words[2][block]
    H = len(us) // len(u)
    C_T, TV_T = numpy.ascontiguousarray(C.T), numpy.ascontiguousarray(TV.T)
    du, through_TK = du[block].copy(), numpy.empty((B, len(C)), C.dtype)
    dots = numpy.empty(held.shape[1], C.dtype)
    for h in range(H - 1, -1, -1):
        first = H * lo + h * B
        d_sum, dp = d_sums[first : first + B], d_scores[first : first + B]
        after = us[first + B : first + 2 * B] if h + 1 < H else u[block]
        copy_into(d_sum, du)
        for b in range(B):
            for e in range(linear_size, len(C)):
                d_sum[b, e] *= after[b, e] > 0
        multiply(d_sum, TV_T, dp)  # (B, M)
        for b in range(B):
            add_word_dots(held[b], places[b], counts[b], value_readings, d_sum[b], dots, dp[b])
        softmax_backward_rows(ps[first : first + B], dp)
        multiply(d_sum, C_T, du)  # (B, E)
        multiply(dp, TK, through_TK)
        add_up(through_TK, du)
        for b in range(B):
            shares = d_weights[first + b]
            add_word_sums(held[b], places[b], counts[b], key_readings, dp[b], shares, du[b])
    copy_into(du_0[block], du)


@njit(**OPTIONS)
def _scatter_components(lo, bounds, words, weights, vectors, d_readings):
    """Sum some components of each reading's gradient over targets and hops, in their order.

    The components are those of `vectors`, from `lo` on.
    """
    held, _, counts = words
    H, width = len(vectors) // len(held), vectors.shape[1]
    few = numpy.zeros((four_fold(H), width), vectors.dtype)  # of one target, a hop a row
    few_weights = numpy.zeros((four_fold(H), weights.shape[1]), vectors.dtype)
    for n in range(len(d_readings)):
        for e in range(lo, lo + width):
            d_readings[n, e] = 0
    for k in range(len(bounds) - 1):
        first, B = bounds[k], bounds[k + 1] - bounds[k]
        for b in range(first, first + B):
            for h in range(H):
                place = (H - 1) * first + h * B + b
                copy_into(few[h : h + 1], vectors[place : place + 1])
                copy_into(few_weights[h : h + 1], weights[place : place + 1])
            scatter_hops(held[b], counts[b], few_weights, few, d_readings, lo)


@njit(**OPTIONS)
def _multiply_components(lo, x, vectors, product):
    """Set some columns, from `lo` on, to ``xᵀ vectors``."""
    columns = numpy.empty((x.shape[1], vectors.shape[1]), x.dtype)
    multiply(x.T, vectors, columns)
    for n in range(len(columns)):
        for e in range(columns.shape[1]):
            product[n, lo + e] = columns[n, e]


@njit(**OPTIONS)
def _gather_components(of_keys, lo, hi, bounds, words, left, back, gradients):
    us, ps, weights = left
    _, d_sums, d_scores, d_weights = back
    d_keys, d_values, dTK, dTV, dC = gradients
    vectors = numpy.ascontiguousarray((us if of_keys else d_sums)[:, lo:hi])
    if of_keys:
        _scatter_components(lo, bounds, words, d_weights, vectors, d_keys)
        _multiply_components(lo, d_scores, vectors, dTK)
    else:
        _scatter_components(lo, bounds, words, weights, vectors, d_values)
        _multiply_components(lo, ps, vectors, dTV)
        _multiply_components(lo, us, vectors, dC)


@njit(**PARALLEL)
def _forward(bounds, inputs, everything, words, left, u, attention):
    for k in prange(len(bounds) - 1):
        _hop_a_block(bounds[k], bounds[k + 1], inputs, everything, words, left, u, attention)


@njit(**PARALLEL)
def _backward(bounds, du, inputs, words, left, u, back):
    for k in prange(len(bounds) - 1):
        _hop_back_a_block(bounds[k], bounds[k + 1], du, inputs, words, left, u, back)


@njit(**PARALLEL)
def _gather(bounds, words, left, back, gradients):
    """Sum the gradients of readings and matrices over targets and hops, some components a task."""
    parts = cut(len(gradients[4]), COMPONENTS_A_BLOCK)
    blocks = len(parts) - 1
    for n in prange(2 * blocks):
        lo, hi = parts[n % blocks], parts[n % blocks + 1]
        _gather_components(n < blocks, lo, hi, bounds, words, left, back, gradients)


def context_hops_by_row(xp, u, memory: ContextMemory, matrix, hops, linear_size):
    """Do what `kvnet.operations.context_hops_by_row` does, without gathering a slot.

    A target's different words cost a dot product each, however often they stand in its context. The
    temporal encodings' share of scores and sums is one dense product for all targets.

    Parameters, returns and source: see `kvnet.operations.context_hops_by_row`.
    """
    (B, E), M = u.shape, len(memory.TK)
    *arrays, rows = memory
    slots, bounds = as_int32(rows), cut(B, TARGETS_A_BLOCK)
    C = numpy.ascontiguousarray(matrix)
    inputs = u, *arrays, C, slots, linear_size
    words = tuple(numpy.empty(shape, numpy.int32) for shape in ((B, four_fold(M)), (B, M), (B,)))

    def empty(*shape):
        return numpy.empty(shape, C.dtype)

    last, attention = empty(B, E), empty(hops, B, M)
    # A block's hops, then the next block's: u, p, and p summed by word.
    left = tuple(empty(hops * B, size) for size in (E, M, four_fold(M)))
    _forward(bounds, inputs, empty(B, 0).astype(bool), words, left, last, attention)

    def backward(du):
        back = du_0, *_ = empty(B, E), *map(numpy.empty_like, left)
        _backward(bounds, numpy.ascontiguousarray(du), inputs, words, left, last, back)
        gradients = tuple(map(numpy.empty_like, (*arrays, C)))
        _gather(bounds, words, left, back, gradients)
        *d_arrays, dC = gradients
        return du_0, ContextMemory(*d_arrays), dC

    return last, attention, backward
