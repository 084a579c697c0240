"""The answer's loss over the whole vocabulary, a block of words at a time."""

import numpy

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, OPTIONS, as_int32
from kvnet.kernels.parts.matrices import multiply
from kvnet.kernels.parts.threads import next_block, run_on_all_threads
from kvnet.kernels.parts.vector_math import exp, log

WORDS_PER_BLOCK = 1000  # their scores stay in a core's cache


@njit(**OPTIONS)
def _score_block(k, lo, hi, h, table, answers, nil, scores, largest, totals, answer_scores):
    """Turn the scores of a block of words into ``exp(score - largest of the block)``."""
    B = len(h)
    block = scores[B * lo : B * hi].reshape(B, hi - lo)
    multiply(h, table[lo:hi].T, block)
    for b in range(B):
        row = block[b]
        if nil and lo == 0:
            row[0] = 0  # the nil word's, whatever its embedding contains
        if lo <= answers[b] < hi:
            answer_scores[b] = row[answers[b] - lo]
        highest = row[0]
        for word in range(1, len(row)):
            highest = max(highest, row[word])
        for word in range(len(row)):
            row[word] = exp(row[word] - highest)
        total = row[0]
        for word in range(1, len(row)):
            total += row[word]
        largest[k, b], totals[k, b] = highest, total


@njit(**NOT_INLINED)
def _score(counters, bounds, h, table, answers, nil, scores, *by_block):
    k = next_block(counters, 0)
    while k < len(bounds) - 1:
        lo, hi = bounds[k], bounds[k + 1]
        _score_block(k, lo, hi, h, table, answers, nil, scores, *by_block)
        k = next_block(counters, 0)


@njit(**NOT_INLINED)
def _sum_losses(largest, totals, scales, losses):
    """Turn the scores of the answers in `losses` into losses, and fill the scales of blocks."""
    blocks, B = largest.shape
    for b in range(B):
        highest = largest[0, b]
        for k in range(1, blocks):
            highest = max(highest, largest[k, b])
        total = losses.dtype.type(0)
        for k in range(blocks):
            scales[k, b] = exp(largest[k, b] - highest)
            total += scales[k, b] * totals[k, b]
        for k in range(blocks):
            scales[k, b] /= total
        losses[b] = highest - losses[b] + log(total)


@njit(**OPTIONS)
def _differentiate_block(k, lo, hi, h, table, answers, nil, scores, scales, finish, dh, d_table):
    """Compute ``softmax - onehot(answer)`` in place if `finish`, and multiply by it."""
    B = len(h)
    block = scores[B * lo : B * hi].reshape(B, hi - lo)
    if finish:
        for b in range(B):
            row, scale = block[b], scales[k, b]
            for word in range(len(row)):
                row[word] *= scale
            if lo <= answers[b] < hi:
                row[answers[b] - lo] -= 1
            if nil and lo == 0:
                row[0] = 0
    multiply(block, table[lo:hi], dh[k])
    multiply(block.T, h, d_table[lo:hi])


@njit(**NOT_INLINED)
def _gradients(counters, bounds, h, table, answers, nil, scores, scales, finish, dh, d_table):
    k = next_block(counters, 0)
    while k < len(bounds) - 1:
        lo, hi = bounds[k], bounds[k + 1]
        of_block = scores, scales, finish, dh, d_table
        _differentiate_block(k, lo, hi, h, table, answers, nil, *of_block)
        k = next_block(counters, 0)


def word_cross_entropy(xp, h, table, answers, nil=True):
    """Fused form of `kvnet.operations.word_cross_entropy`, with one array of (B, V).

    Scores, probabilities and their gradient are that array, and a thread takes a block from its
    product to its exponentials while it is in the cache.

    Parameters, returns and references: see `kvnet.operations.word_cross_entropy`.
    """
    (B, E), V, answers = h.shape, len(table), as_int32(answers)
    bounds, finished = cut(V, WORDS_PER_BLOCK), False

    def empty(*shape):
        return numpy.empty(shape, h.dtype)

    # Block after block of words, (B, words) each, so that a block is contiguous for BLAS.
    scores, scales, losses = empty(B * V), empty(len(bounds) - 1, B), empty(B)
    largest, totals = numpy.empty_like(scales), numpy.empty_like(scales)
    inputs = bounds, h, table, answers, nil
    run_on_all_threads(_score, len(scales), *inputs, scores, largest, totals, losses)
    _sum_losses(largest, totals, scales, losses)

    def backward(d_loss):
        nonlocal finished
        by_block, d_table = empty(len(bounds) - 1, B, E), empty(V, E)
        finish, finished = not finished, True
        results = scores, scales, finish, by_block, d_table
        run_on_all_threads(_gradients, len(scales), *inputs, *results)
        dh = by_block.sum(axis=0)
        if d_loss != 1:
            dh, d_table = d_loss * dh, d_loss * d_table
        return dh, d_table

    return losses.sum(), backward
