"""The loss of sets of answers, without an array per step of the formula."""

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, as_int32
from kvnet.operations.answer_set_loss import LEAST_PROBABILITY
from kvnet.operations.noisy_or import BELIEF


@njit(**NOT_INLINED)
def _loss(weights, starts, entities, right, right_starts, gradient):
    """Fill the gradient for a loss of 1; return the loss."""
    least, belief = weights.dtype.type(LEAST_PROBABILITY), weights.dtype.type(BELIEF)
    total = 0.0
    for b in range(len(right_starts) - 1):
        answers = numpy.sort(right[right_starts[b] : right_starts[b + 1]])
        if len(answers) == 0:
            answers = numpy.full(1, -1, numpy.int32)
            share, missing = weights.dtype.type(1), 0
        else:
            share, missing = weights.dtype.type(1 / len(answers)), len(answers)
        for i in range(starts[b], starts[b + 1]):
            at = numpy.searchsorted(answers, entities[i])
            if at < len(answers) and answers[at] == entities[i]:
                a = weights[i] + least
                total -= share * numpy.log(a)
                gradient[i] = -share / a
                missing -= 1
            else:
                doubt = 1 - belief * weights[i]
                total -= share * numpy.log(doubt)
                gradient[i] = share * belief / doubt
        total -= missing * share * numpy.log(least)
    return total


def answer_set_loss(xp, weights, candidates, right, right_starts):
    """Fused form of `kvnet.operations.answer_set_loss`: loss and gradient in one pass.

    Parameters, returns and references: see `kvnet.operations.answer_set_loss`.
    """
    gradient = numpy.empty_like(weights)
    entities, right = as_int32(candidates.entities), as_int32(right)
    loss = _loss(
        numpy.ascontiguousarray(weights), candidates.starts, entities, right, right_starts, gradient
    )

    def backward(d_loss):
        return (d_loss * gradient).astype(gradient.dtype)

    return weights.dtype.type(loss), backward
