"""Word embeddings by table lookup, and the scatter that is its gradient."""

import numpy


def embedding_lookup(xp, words, table):
    """Look every word up: ``y_n = W[x_n]``, and zero for the nil word ``x_n = 0``.

    Parameters
    ----------
    xp : module
        Array module.
    words : (...) integer array
        Word ids; 0 is the nil word.
    table : (V, E) float array
        W. Row 0 is read as zero whatever it holds.

    Returns
    -------
    embeddings : (..., E) float array
    backward : callable
        ``d_embeddings (..., E) -> d_table (V, E)``; its row 0 is zero.
    """
    embeddings = without_nil(table)[words]

    def backward(d_embeddings):
        rows = d_embeddings.reshape(-1, table.shape[1])
        d_table = sum_rows_by_word(xp, words.reshape(-1), rows, len(table))
        d_table[0] = 0  # the nil word has no embedding to update
        return d_table

    return embeddings, backward


def without_nil(table):
    """Copy an embedding table with the nil word's row at zero.

    Parameters
    ----------
    table : (V, E) float array

    Returns
    -------
    table : (V, E) float array
    """
    table = table.copy()
    table[0] = 0
    return table


def sum_rows_by_word(xp, words, rows, vocabulary_size: int):
    """Add each row to its word's: ``d_table[v] = sum of rows[n] where words[n] == v``.

    Rows are sorted by word, and a word's sum is a difference of running sums, in double precision:
    so the order of every sum is fixed on any device. No shape hangs on the words: to learn how many
    there are, a device would have to be waited for.

    Parameters
    ----------
    xp : module
        Array module.
    words : (N,) integer array
    rows : (N, E) float array
    vocabulary_size : int
        V.

    Returns
    -------
    d_table : (V, E) float array
    """
    order = xp.argsort(words, kind="stable")
    bounds = xp.searchsorted(words[order], xp.arange(vocabulary_size + 1))
    wide = numpy.result_type(rows.dtype, numpy.float64)
    nothing = xp.zeros((1, rows.shape[1]), wide)
    totals = xp.concatenate([nothing, xp.cumsum(rows[order], axis=0, dtype=wide)])[bounds]
    return (totals[1:] - totals[:-1]).astype(rows.dtype)
