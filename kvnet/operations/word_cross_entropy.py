"""The answer's loss from the hidden vector: scores of all words and their cross entropy."""

from kvnet.operations.cross_entropy import cross_entropy
from kvnet.operations.word_scores import word_scores


def word_cross_entropy(xp, h, table, answers):
    """Sum the batch's cross entropy: ``L = sum_b log(sum_v exp(h_b · W_v)) - h_b · W_answer``.

    Parameters
    ----------
    xp : module
        Array module.
    h : (B, E) float array
    table : (V, E) float array
        W. Row 0, the nil word's, is read as zero whatever it holds.
    answers : (B,) integer array
        Word ids.

    Returns
    -------
    loss : scalar float array
        Summed over the batch.
    backward : callable
        ``d_loss (scalar) -> dh (B, E), d_table (V, E)``; d_table's row 0 is zero.
    """
    scores, backward_scores = word_scores(xp, h, table)
    loss, backward_entropy = cross_entropy(xp, scores, answers)

    def backward(d_loss):
        return backward_scores(backward_entropy(d_loss))

    return loss, backward
