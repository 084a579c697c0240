"""The loss of the answers, given the hidden vector: scores of all words, then cross entropy."""

from kvnet.operations.cross_entropy import cross_entropy
from kvnet.operations.word_scores import word_scores


def word_cross_entropy(xp, h, table, answers, nil: bool = True):
    """Sum the cross entropy: ``L = sum_b log(sum_v exp(h_b · W_v)) - h_b · W_answer``.

    Parameters
    ----------
    xp : module
        Array module.
    h : (B, E) float array
    table : (V, E) float array
        W.
    answers : (B,) integer array
        Word ids.
    nil : bool, default=True
        Whether row 0 is the nil word's, which is read as zero whatever it contains.

    Returns
    -------
    loss : scalar float array
        Summed over the batch.
    backward : callable
        ``d_loss (scalar) -> dh (B, E), d_table (V, E)``; the nil word's row of d_table is zero.
    """
    scores, backward_scores = word_scores(xp, h, table, nil)
    loss, backward_entropy = cross_entropy(xp, scores, answers)

    def backward(d_loss):
        return backward_scores(backward_entropy(d_loss))

    return loss, backward
