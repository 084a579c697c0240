"""Rows of a table, by index."""

from kvnet.operations.scatter_rows import scatter_rows


def take_rows(xp, table, indices):
    """Look up rows: ``y_n = T[indices_n]``.

    Parameters
    ----------
    xp : module
        Array module.
    table : (U, D) float array
        T.
    indices : (...) integer array

    Returns
    -------
    rows : (..., D) float array
    backward : callable
        ``d_rows (..., D) -> d_table (U, D)``
    """
    rows = table[indices]

    def backward(d_rows):
        U, D = table.shape
        return scatter_rows(xp, indices.reshape(-1), d_rows.reshape(-1, D), U)

    return rows, backward
