"""The loss of sets of answers, given a distribution over the candidates of each question."""

from kvnet.operations.right_candidates import right_candidates
from kvnet.operations.softmax_by_question import softmax_by_question


def answer_set_cross_entropy(xp, scores, candidates, right, right_starts):
    """Sum the cross entropy of the uniform distribution over each question's right answers.

    ``L = - Σ_b 1/|A_b| Σ_{x in A_b} log p_x`` with the softmax p of the scores over the question's
    candidates. It is least where all right answers are equally probable. Right answers that are not
    among the candidates cannot be learned and are left out, also of ``|A_b|``.

    Parameters
    ----------
    xp : module
        Array module.
    scores : (n,) float array
    candidates : Candidates
        The entities that are scored.
    right : (A,) integer array
        The right answers A_b of all questions, one question after another, all different for one
        question. Negative: no entity.
    right_starts : (B + 1,) int64 array

    Returns
    -------
    loss : scalar float array
        Summed over the batch.
    backward : callable
        ``d_loss (scalar) -> d_scores (n,)``
    """
    log_p, backward_softmax = softmax_by_question(xp, scores, candidates.starts)
    is_right, questions = right_candidates(xp, candidates, right, right_starts)
    before = xp.concatenate([xp.zeros(1, "int64"), xp.cumsum(is_right)])
    found = before[candidates.starts[1:]] - before[candidates.starts[:-1]]
    shares = (is_right / xp.maximum(found, 1)[questions]).astype(scores.real.dtype)
    loss = -(shares * log_p).sum()

    def backward(d_loss):
        return backward_softmax(-d_loss * shares)

    return loss, backward
