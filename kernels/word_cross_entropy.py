"""The answer's loss over the whole vocabulary, with no second array as wide as it."""

import numpy
from numba import int64, njit, prange

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_options import OPTIONS, PARALLEL, as_int32
from kvnet.kernels.parts.matrices import multiply
from kvnet.kernels.parts.softmax_rows import exponentiate
from kvnet.kernels.parts.vector_math import exp, log

WORDS_A_BLOCK = 1000  # of the vocabulary: their scores stay in a core's cache


@njit(**OPTIONS)
def entropy_rows(scores, answers, losses):
    """Turn each row of scores into ``softmax - onehot(answer)``, in place; fill in the losses."""
    for b in range(len(scores)):
        row = scores[b]
        row[0] = 0  # the nil word's, whatever its embedding holds
        largest = row[0]
        for word in range(1, len(row)):
            largest = max(largest, row[word])
        for word in range(len(row)):
            row[word] -= largest
        losses[b] = -row[answers[b]]
    exponentiate(scores)
    for b in range(len(scores)):
        row = scores[b]
        total = row[0]
        for word in range(1, len(row)):
            total += row[word]
        losses[b] += log(total)
        share = row.dtype.type(1) / total
        for word in range(len(row)):
            row[word] *= share
        row[answers[b]] -= 1
        row[0] = 0


@njit(**OPTIONS)
def _score_a_block(k, lo, hi, h, table, answers, nil, scores, largest, totals, answer_scores):
    """Turn a block of words' scores into ``exp(score - largest of the block)``."""
    B = len(h)
    block = scores[B * lo : B * hi].reshape(B, hi - lo)
    multiply(h, table[lo:hi].T, block)
    for b in range(B):
        row = block[b]
        if nil and lo == 0:
            row[0] = 0  # the nil word's, whatever its embedding holds
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


@njit(**PARALLEL)
def _losses(bounds, h, table, answers, nil, scores, shares, losses):
    blocks, B = len(bounds) - 1, len(h)
    largest, totals = numpy.empty_like(shares), numpy.empty_like(shares)
    for k in prange(blocks):
        _score_a_block(
            int64(k),
            bounds[k],
            bounds[k + 1],
            h,
            table,
            answers,
            nil,
            scores,
            largest,
            totals,
            losses,
        )
    for b in range(B):
        highest = largest[0, b]
        for k in range(1, blocks):
            highest = max(highest, largest[k, b])
        total = h.dtype.type(0)
        for k in range(blocks):
            shares[k, b] = exp(largest[k, b] - highest)
            total += shares[k, b] * totals[k, b]
        for k in range(blocks):
            shares[k, b] /= total
        losses[b] = highest - losses[b] + log(total)


@njit(**OPTIONS)
def _differentiate_a_block(k, lo, hi, h, table, answers, nil, scores, shares, finish, dh, d_table):
    """Finish ``softmax - onehot(answer)`` in place, if not yet done, and multiply by it."""
    B = len(h)
    block = scores[B * lo : B * hi].reshape(B, hi - lo)
    if finish:
        for b in range(B):
            row, share = block[b], shares[k, b]
            for word in range(len(row)):
                row[word] *= share
            if lo <= answers[b] < hi:
                row[answers[b] - lo] -= 1
            if nil and lo == 0:
                row[0] = 0
    multiply(block, table[lo:hi], dh[k])
    multiply(block.T, h, d_table[lo:hi])


@njit(**PARALLEL)
def _gradients(bounds, h, table, answers, nil, scores, shares, finish, dh, d_table):
    for k in prange(len(bounds) - 1):
        _differentiate_a_block(
            int64(k),
            bounds[k],
            bounds[k + 1],
            h,
            table,
            answers,
            nil,
            scores,
            shares,
            finish,
            dh,
            d_table,
        )


def word_cross_entropy(xp, h, table, answers, nil=True):
    """Do what `kvnet.operations.word_cross_entropy` does, a block of the vocabulary at a time.

    Scores, probabilities and their gradient are one array, and a thread takes a block from its
    product to its exponentials while it is in the cache.

    Parameters and returns: see `kvnet.operations.word_cross_entropy`.
    """
    (B, E), V, answers = h.shape, len(table), as_int32(answers)
    bounds, finished = cut(V, WORDS_A_BLOCK), False

    def empty(*shape):
        return numpy.empty(shape, h.dtype)

    # Block after block of the vocabulary, (B, words) each: so that each is one piece for BLAS.
    scores, shares, losses = empty(B * V), empty(len(bounds) - 1, B), empty(B)
    _losses(bounds, h, table, answers, nil, scores, shares, losses)

    def backward(d_loss):
        nonlocal finished
        parts, d_table = empty(len(bounds) - 1, B, E), empty(V, E)
        finish, finished = not finished, True
        _gradients(bounds, h, table, answers, nil, scores, shares, finish, parts, d_table)
        dh = parts.sum(axis=0)
        if d_loss != 1:
            dh, d_table = d_loss * dh, d_loss * d_table
        return dh, d_table

    return losses.sum(), backward
