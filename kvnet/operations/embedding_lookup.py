"""Word embeddings by table lookup."""

from kvnet.operations.take_rows import take_rows
from kvnet.operations.without_nil import without_nil


def embedding_lookup(xp, words, table):
    """Look up the embedding of every word: ``y_n = W[x_n]``, and zero for the nil word.

    Parameters
    ----------
    xp : module
        Array module.
    words : (...) integer array
        Word ids; 0 is the nil word.
    table : (V, E) float array
        W. Row 0 is read as zero whatever it contains.

    Returns
    -------
    embeddings : (..., E) float array
    backward : callable
        ``d_embeddings (..., E) -> d_table (V, E)``; its row 0 is zero.
    """
    embeddings, backward_rows = take_rows(xp, without_nil(table), words)

    def backward(d_embeddings):
        d_table = backward_rows(d_embeddings)
        d_table[0] = 0  # the nil word has no embedding to update
        return d_table

    return embeddings, backward
