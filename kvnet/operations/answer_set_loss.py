"""The loss of sets of answers."""

from math import log

from kvnet.operations.noisy_or import BELIEF
from kvnet.operations.right_candidates import right_candidates

LEAST_PROBABILITY = 1e-6
"""Added to the probability of a right answer, so that one not reached has a finite loss."""


def answer_set_loss(xp, weights, candidates, right, right_starts):
    """Sum the cross entropy of "is an answer" over the candidates of each question.

    ``L = Σ_b 1/|A_b| (- Σ_{x in A_b} log a_x - Σ_{x not in A_b} log(1 - c a_x))``. All right
    answers must have a probability near 1 and all other candidates one near 0, so that the set of
    answers is learned, not one of them. The division lets a question with hundreds of answers count
    as much as one with one.

    Parameters
    ----------
    xp : module
        Array module.
    weights : (n,) float array
        a, probabilities; c is `kvnet.operations.noisy_or.BELIEF`.
    candidates : Candidates
        The entities that have them. Others have the probability 0.
    right : (A,) integer array
        The right answers A_b of all questions, one question after another, all different for one
        question. Negative: no entity; it only counts in ``|A_b|``.
    right_starts : (B + 1,) int64 array

    Returns
    -------
    loss : scalar float array
        Summed over the batch.
    backward : callable
        ``d_loss (scalar) -> d_weights (n,)``
    """
    is_right, questions = right_candidates(xp, candidates, right, right_starts)
    sizes = right_starts[1:] - right_starts[:-1]
    shares = (1 / xp.maximum(sizes, 1)).astype(weights.real.dtype)
    found = (is_right * shares[questions]).sum()
    missing = (sizes * shares).sum(dtype=shares.dtype) - found  # of questions
    shares = shares[questions]
    a, doubt = weights + LEAST_PROBABILITY, 1 - BELIEF * weights
    losses = -xp.log(xp.where(is_right, a, doubt)) * shares
    loss = losses.sum() - missing * log(LEAST_PROBABILITY)

    def backward(d_loss):
        return d_loss * shares * xp.where(is_right, -1 / a, BELIEF / doubt)

    return loss, backward
