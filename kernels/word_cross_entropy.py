"""The answer's loss over the whole vocabulary, with no second array as wide as it."""

import numpy
from numba import njit, prange

from kvnet.kernels.compilation import OPTIONS, PARALLEL, cut, numbers
from kvnet.kernels.vector_math import exp, log


@njit(**OPTIONS)
def entropy_rows(scores, answers, losses):
    """Turn each row of scores into ``softmax - onehot(answer)``, in place; fill in the losses."""
    for b in range(len(scores)):
        row = scores[b]
        row[0] = 0  # the nil word's, whatever its embedding holds
        largest = row[0]
        for word in range(1, len(row)):
            largest = max(largest, row[word])
        losses[b] = largest - row[answers[b]]
        for word in range(len(row)):
            row[word] = exp(row[word] - largest)
        total = row[0]
        for word in range(1, len(row)):
            total += row[word]
        losses[b] += log(total)
        share = row.dtype.type(1) / total
        for word in range(len(row)):
            row[word] *= share
        row[answers[b]] -= 1
        row[0] = 0


@njit(**PARALLEL)
def _all_entropy_rows(scores, answers, losses):
    bounds = cut(len(scores))
    for k in prange(len(bounds) - 1):
        block = slice(bounds[k], bounds[k + 1])
        entropy_rows(scores[block], answers[block], losses[block])


def word_cross_entropy(xp, h, table, answers):
    """Do what `kvnet.operations.word_cross_entropy` does, on one array of scores.

    Parameters and returns: see `kvnet.operations.word_cross_entropy`.
    """
    scores = h @ table.T  # (B, V)
    losses = numpy.empty(len(h), h.dtype)
    _all_entropy_rows(scores, numbers(answers), losses)

    def backward(d_loss):
        dh, d_table = scores @ table, scores.T @ h
        if d_loss != 1:
            dh, d_table = d_loss * dh, d_loss * d_table
        return dh, d_table

    return losses.sum(), backward
