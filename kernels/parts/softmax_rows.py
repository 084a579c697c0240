"""The softmax and the cross entropy of rows, in place."""

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import INNER
from kvnet.kernels.parts.vector_math import exp, log


@njit(**INNER)
def _exponentiate(x):
    """Replace a contiguous matrix by its exponentials: one long loop, not one per row."""
    flat = x.reshape(-1)
    for i in range(len(flat)):
        flat[i] = exp(flat[i])


@njit(**INNER)
def softmax_rows(scores, allowed):
    """Turn each row of scores into probabilities; all are allowed if `allowed` has no columns."""
    masked = allowed.shape[1] > 0
    for b in range(len(scores)):
        row = scores[b]
        if masked:
            for i in range(len(row)):
                if not allowed[b, i]:
                    row[i] = -1e30  # as in the textbook softmax
        largest = row[0]
        for i in range(1, len(row)):
            largest = max(largest, row[i])
        for i in range(len(row)):
            row[i] -= largest
    _exponentiate(scores)
    for b in range(len(scores)):
        row = scores[b]
        if masked:
            for i in range(len(row)):
                row[i] *= allowed[b, i]
        total = row[0]
        for i in range(1, len(row)):
            total += row[i]
        scale = row.dtype.type(1) / max(total, row.dtype.type(1e-30))  # nothing allowed: all zero
        for i in range(len(row)):
            row[i] *= scale


@njit(**INNER)
def softmax_backward_rows(p, dp):
    """Turn each row of ``dp`` into ``d_scores = p (dp - sum_j p_j dp_j)``."""
    for b in range(len(p)):
        weights, row = p[b], dp[b]
        mean = weights[0] * row[0]
        for i in range(1, len(row)):
            mean += weights[i] * row[i]
        for i in range(len(row)):
            row[i] = weights[i] * (row[i] - mean)


@njit(**INNER)
def cross_entropy_rows(scores, answers, losses):
    """Turn each row of scores of all words into ``softmax - onehot(answer)``; fill `losses`."""
    for b in range(len(scores)):
        row = scores[b]
        row[0] = 0  # the nil word's, whatever its embedding contains
        largest = row[0]
        for word in range(1, len(row)):
            largest = max(largest, row[word])
        for word in range(len(row)):
            row[word] -= largest
        losses[b] = -row[answers[b]]
    _exponentiate(scores)
    for b in range(len(scores)):
        row = scores[b]
        total = row[0]
        for word in range(1, len(row)):
            total += row[word]
        losses[b] += log(total)
        scale = row.dtype.type(1) / total
        for word in range(len(row)):
            row[word] *= scale
        row[answers[b]] -= 1
        row[0] = 0
