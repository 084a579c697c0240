"""Scores of all words as the answer: products of the hidden vector with their embeddings."""

from kvnet.operations.linear import linear
from kvnet.operations.without_nil import without_nil


def word_scores(xp, h, table, nil: bool = True):
    """Score every word of the vocabulary: ``s = h Wᵀ``; the score of a nil word is zero.

    Parameters
    ----------
    xp : module
        Array module.
    h : (B, E) float array
    table : (V, E) float array
        W.
    nil : bool, default=True
        Whether row 0 is the nil word's, which is read as zero whatever it contains.

    Returns
    -------
    scores : (B, V) float array
    backward : callable
        ``d_scores (B, V) -> dh (B, E), d_table (V, E)``; the nil word's row of d_table is zero.
    """
    scores, backward_linear = linear(xp, h, without_nil(table) if nil else table)

    def backward(d_scores):
        dh, d_table = backward_linear(d_scores)
        if nil:
            d_table[0] = 0
        return dh, d_table

    return scores, backward
