"""Word embeddings by table lookup, and the scatter that is its gradient."""


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
        real = words != 0
        return sum_rows_by_word(xp, words[real], d_embeddings[real], len(table))

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

    Rows are sorted by word and summed run by run, so the order of every sum is fixed on any device.

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
    d_table = xp.zeros((vocabulary_size, rows.shape[1]), rows.dtype)
    if len(words):
        order = xp.argsort(words, kind="stable")
        present, starts = xp.unique(words[order], return_index=True)
        d_table[present] = xp.add.reduceat(rows[order], starts, axis=0)
    return d_table
