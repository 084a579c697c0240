"""The language model's hops, a block of targets at a time, with dot products per different word."""

from typing import NamedTuple

import numpy

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, OPTIONS, as_int32
from kvnet.kernels.parts.distinct_words import (
    DistinctWords,
    add_word_dots,
    add_word_sums,
    find_distinct,
    four_fold,
    scatter_hops,
)
from kvnet.kernels.parts.matrices import add_up, copy_into, multiply
from kvnet.kernels.parts.softmax_rows import softmax_backward_rows, softmax_rows
from kvnet.kernels.parts.threads import next_block, run_on_all_threads
from kvnet.operations.memory import ContextMemory

TARGETS_PER_BLOCK = 8  # few enough for the readings of their words to stay in a core's cache
COMPONENTS_PER_BLOCK = 80


class SavedHops(NamedTuple):
    """What the hops save for the backward pass: the hops of a block, then those of the next."""

    queries: numpy.ndarray  # (H B, E), before each hop
    attention: numpy.ndarray  # (H B, M)
    word_weights: numpy.ndarray  # (H B, four_fold(M)): the attention summed by different word


class HopGradients(NamedTuple):
    """The gradients of each hop, in the same order, and of the first query."""

    query: numpy.ndarray  # (B, E)
    sums: numpy.ndarray  # (H B, E), of u C + o
    scores: numpy.ndarray  # (H B, M)
    word_weights: numpy.ndarray  # (H B, four_fold(M)): `scores` summed by different word


@njit(**OPTIONS)
def _hop_block(lo, hi, u_0, memory, C, linear_size, no_mask, words, saved, u, attention):
    B, H, block = hi - lo, len(attention), slice(lo, hi)
    rows, places, counts = words.rows[block], words.places[block], words.counts[block]
    find_distinct(memory.rows[block], len(memory.key_readings), rows, places, counts)
    key_readings, value_readings, TV = memory.key_readings, memory.value_readings, memory.TV
    queries, word_weights = saved.queries, saved.word_weights
    TK_T, read = numpy.ascontiguousarray(memory.TK.T), numpy.empty((B, len(C)), C.dtype)
    dots = numpy.empty(rows.shape[1], C.dtype)
    copy_into(queries[H * lo : H * lo + B], u_0[block])
    for h in range(H):
        first = H * lo + h * B
        before, p = queries[first : first + B], saved.attention[first : first + B]
        after = queries[first + B : first + 2 * B] if h + 1 < H else u[block]
        multiply(before, TK_T, p)  # (B, M)
        for b in range(B):
            add_word_dots(rows[b], places[b], counts[b], key_readings, before[b], dots, p[b])
        softmax_rows(p, no_mask)
        multiply(p, TV, read)  # (B, E)
        for b in range(B):
            weights = word_weights[first + b]
            add_word_sums(rows[b], places[b], counts[b], value_readings, p[b], weights, read[b])
        multiply(before, C, after)
        add_up(read, after)
        for b in range(B):
            for e in range(linear_size, len(C)):
                after[b, e] = max(after[b, e], 0)
        copy_into(attention[h, block], p)


@njit(**OPTIONS)
def _hop_backward_block(lo, hi, du, memory, C, linear_size, words, saved, u, gradients):
    B, block, H = hi - lo, slice(lo, hi), len(saved.queries) // len(u)
    rows, places, counts = words.rows[block], words.places[block], words.counts[block]
    key_readings, value_readings = memory.key_readings, memory.value_readings
    word_weights = gradients.word_weights
    C_T, TV_T = numpy.ascontiguousarray(C.T), numpy.ascontiguousarray(memory.TV.T)
    du, through_TK = du[block].copy(), numpy.empty((B, len(C)), C.dtype)
    dots = numpy.empty(rows.shape[1], C.dtype)
    for h in range(H - 1, -1, -1):
        first = H * lo + h * B
        d_sum, dp = gradients.sums[first : first + B], gradients.scores[first : first + B]
        after = saved.queries[first + B : first + 2 * B] if h + 1 < H else u[block]
        copy_into(d_sum, du)
        for b in range(B):
            for e in range(linear_size, len(C)):
                d_sum[b, e] *= after[b, e] > 0
        multiply(d_sum, TV_T, dp)  # (B, M)
        for b in range(B):
            add_word_dots(rows[b], places[b], counts[b], value_readings, d_sum[b], dots, dp[b])
        softmax_backward_rows(saved.attention[first : first + B], dp)
        multiply(d_sum, C_T, du)  # (B, E)
        multiply(dp, memory.TK, through_TK)
        add_up(through_TK, du)
        for b in range(B):
            weights = word_weights[first + b]
            add_word_sums(rows[b], places[b], counts[b], key_readings, dp[b], weights, du[b])
    copy_into(gradients.query[block], du)


@njit(**OPTIONS)
def _scatter_components(lo, bounds, words, weights, vectors, d_readings):
    """Sum some components of each reading's gradient over targets and hops, in their order.

    The components are those of `vectors`, from `lo` on.
    """
    rows, counts = words.rows, words.counts
    H, width = len(vectors) // len(rows), vectors.shape[1]
    of_target = numpy.zeros((four_fold(H), width), vectors.dtype)  # a hop per row
    its_weights = numpy.zeros((four_fold(H), weights.shape[1]), vectors.dtype)
    for n in range(len(d_readings)):
        for e in range(lo, lo + width):
            d_readings[n, e] = 0
    for k in range(len(bounds) - 1):
        first, B = bounds[k], bounds[k + 1] - bounds[k]
        for b in range(first, first + B):
            for h in range(H):
                row = (H - 1) * first + h * B + b
                copy_into(of_target[h : h + 1], vectors[row : row + 1])
                copy_into(its_weights[h : h + 1], weights[row : row + 1])
            scatter_hops(rows[b], counts[b], its_weights, of_target, d_readings, lo)


@njit(**OPTIONS)
def _multiply_components(lo, x, vectors, product):
    """Set some columns, from `lo` on, to ``xᵀ vectors``."""
    columns = numpy.empty((x.shape[1], vectors.shape[1]), x.dtype)
    multiply(x.T, vectors, columns)
    for n in range(len(columns)):
        for e in range(columns.shape[1]):
            product[n, lo + e] = columns[n, e]


@njit(**OPTIONS)
def _gather_components(of_keys, lo, hi, bounds, words, saved, gradients, d_memory, dC):
    vectors = numpy.ascontiguousarray((saved.queries if of_keys else gradients.sums)[:, lo:hi])
    if of_keys:
        weights = gradients.word_weights
        _scatter_components(lo, bounds, words, weights, vectors, d_memory.key_readings)
        _multiply_components(lo, gradients.scores, vectors, d_memory.TK)
    else:
        weights = saved.word_weights
        _scatter_components(lo, bounds, words, weights, vectors, d_memory.value_readings)
        _multiply_components(lo, saved.attention, vectors, d_memory.TV)
        _multiply_components(lo, saved.queries, vectors, dC)


@njit(**NOT_INLINED)
def _forward(counters, bounds, u_0, memory, C, linear_size, no_mask, words, saved, u, attention):
    k = next_block(counters, 0)
    while k < len(bounds) - 1:
        lo, hi = bounds[k], bounds[k + 1]
        _hop_block(lo, hi, u_0, memory, C, linear_size, no_mask, words, saved, u, attention)
        k = next_block(counters, 0)


@njit(**NOT_INLINED)
def _backward(counters, bounds, du, memory, C, linear_size, words, saved, u, gradients):
    k = next_block(counters, 0)
    while k < len(bounds) - 1:
        lo, hi = bounds[k], bounds[k + 1]
        _hop_backward_block(lo, hi, du, memory, C, linear_size, words, saved, u, gradients)
        k = next_block(counters, 0)


@njit(**NOT_INLINED)
def _gather(counters, bounds, words, saved, gradients, d_memory, dC):
    """Sum the gradients of the memory and of C over targets and hops, some components per block."""
    columns = cut(len(dC), COMPONENTS_PER_BLOCK)
    n, blocks = next_block(counters, 0), len(columns) - 1
    while n < 2 * blocks:
        lo, hi = columns[n % blocks], columns[n % blocks + 1]
        _gather_components(n < blocks, lo, hi, bounds, words, saved, gradients, d_memory, dC)
        n = next_block(counters, 0)


def context_hops_by_row(xp, u, memory: ContextMemory, matrix, hops, linear_size):
    """Fused form of `kvnet.operations.context_hops_by_row`: no slot is filled.

    Each different word of a context costs one dot product. The temporal encodings' part of the
    scores and of the sums is one dense product for a block of targets.

    Parameters, returns and references: see `kvnet.operations.context_hops_by_row`.
    """
    (B, E), M, bounds = u.shape, len(memory.TK), cut(len(u), TARGETS_PER_BLOCK)
    memory, C = memory._replace(rows=as_int32(memory.rows)), numpy.ascontiguousarray(matrix)
    shapes = (B, four_fold(M)), (B, M), (B,)
    words = DistinctWords(*(numpy.empty(shape, numpy.int32) for shape in shapes))

    def empty(*shape):
        return numpy.empty(shape, C.dtype)

    last, attention, no_mask = empty(B, E), empty(hops, B, M), numpy.empty((B, 0), bool)
    saved = SavedHops(*(empty(hops * B, size) for size in (E, M, four_fold(M))))
    inputs = memory, C, linear_size
    results = no_mask, words, saved, last, attention
    run_on_all_threads(_forward, len(bounds) - 1, bounds, u, *inputs, *results)

    def backward(du):
        gradients = HopGradients(empty(B, E), *map(numpy.empty_like, saved))
        du = numpy.ascontiguousarray(du)
        results = words, saved, last, gradients
        run_on_all_threads(_backward, len(bounds) - 1, bounds, du, *inputs, *results)
        d_memory = ContextMemory(*map(numpy.empty_like, memory[:4]))
        dC = numpy.empty_like(C)
        blocks, sums = 2 * -(-E // COMPONENTS_PER_BLOCK), (d_memory, dC)
        run_on_all_threads(_gather, blocks, bounds, words, saved, gradients, *sums)
        return gradients.query, d_memory, dC

    return last, attention, backward
