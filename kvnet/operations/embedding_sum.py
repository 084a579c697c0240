"""The bow reader: a sentence is the weighted sum of its words' embeddings."""

from kvnet.operations.scatter_rows import scatter_rows
from kvnet.operations.without_nil import without_nil


def embedding_sum(xp, words, table, encoding):
    """Read sentences: ``r(x) = sum_j enc_j ⊙ W[x_j]``; the nil word adds zero.

    Parameters
    ----------
    xp : module
        Array module.
    words : (N, S) integer array
        Word ids; 0 is the nil word that pads a sentence.
    table : (V, E) float array
        W. Row 0 is read as zero whatever it contains.
    encoding : (S, E) float array
        Position encoding, a constant.

    Returns
    -------
    readings : (N, E) float array
    backward : callable
        ``d_readings (N, E) -> d_table (V, E)``; its row 0 is zero.

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 4.
    """
    readings = xp.einsum("se,nse->ne", encoding, without_nil(table)[words])

    def backward(d_readings):
        d_words = encoding * d_readings[:, None, :]  # (N, S, E)
        rows = d_words.reshape(-1, table.shape[1])
        d_table = scatter_rows(xp, words.reshape(-1), rows, len(table))
        d_table[0] = 0  # padding has no embedding to update
        return d_table

    return readings, backward
