"""The softmax of rows in place, all or some of a row allowed."""

from numba import njit

from kvnet.kernels.parts.compile_options import INNER
from kvnet.kernels.parts.vector_math import exp


@njit(**INNER)
def exponentiate(x):
    """Replace a contiguous matrix by its exponentials: one long loop, not one a row."""
    numbers = x.reshape(-1)
    for i in range(len(numbers)):
        numbers[i] = exp(numbers[i])


@njit(**INNER)
def softmax_rows(scores, allowed):
    """Turn each row of scores into probabilities, in place; no columns in `allowed` allow all."""
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
    exponentiate(scores)
    for b in range(len(scores)):
        row = scores[b]
        if masked:
            for i in range(len(row)):
                row[i] *= allowed[b, i]
        total = row[0]
        for i in range(1, len(row)):
            total += row[i]
        share = row.dtype.type(1) / max(total, row.dtype.type(1e-30))  # nothing allowed: all zero
        for i in range(len(row)):
            row[i] *= share


@njit(**INNER)
def softmax_backward_rows(p, dp):
    """Turn each row of ``dp`` into ``d_scores = p (dp - sum_j p_j dp_j)``, in place."""
    for b in range(len(p)):
        weights, row = p[b], dp[b]
        mean = weights[0] * row[0]
        for i in range(1, len(row)):
            mean += weights[i] * row[i]
        for i in range(len(row)):
            row[i] = weights[i] * (row[i] - mean)
