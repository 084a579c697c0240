"""The softmax over the candidates of each question."""

from kvnet.operations.largest_by_question import largest_by_question
from kvnet.operations.scatter_rows import scatter_rows


def softmax_by_question(xp, scores, starts):
    """Convert scores to log probabilities: ``log p_i = s_i - log sum_j exp(s_j)``, by question.

    Parameters
    ----------
    xp : module
        Array module.
    scores : (n,) float array
        s.
    starts : (B + 1,) int64 array
        Question b has the scores ``starts[b]`` to ``starts[b + 1]``.

    Returns
    -------
    log_p : (n,) float array
    backward : callable
        ``d_log_p (n,) -> d_scores (n,)``
    """
    B = len(starts) - 1
    questions = xp.searchsorted(starts, xp.arange(len(scores)), side="right") - 1
    # As in `softmax`: the largest is subtracted, and found by real parts.
    largest = largest_by_question(xp, scores.real, starts)
    shifted = scores - scores.real[largest][questions] if len(scores) else scores
    totals = scatter_rows(xp, questions, xp.exp(shifted)[:, None], B)[:, 0]
    log_p = shifted - xp.log(totals[questions])

    def backward(d_log_p):
        sums = scatter_rows(xp, questions, d_log_p[:, None], B)[:, 0]
        return d_log_p - xp.exp(log_p) * sums[questions]

    return log_p, backward
