"""The deterministic scatter-add: the gradient of every table lookup."""

import numpy


def scatter_rows(xp, indices, rows, size: int):
    """Add each row to the table row of its index: ``t[v] = sum of rows[n] where indices[n] == v``.

    The rows are sorted by index. The sum of a table row is then a difference of two running sums,
    in double precision, so every sum has the same order on every device. No shape depends on the
    indices: counting the different ones would make a GPU synchronise with the host.

    Parameters
    ----------
    xp : module
        Array module.
    indices : (N,) integer array
        From 0 to V - 1.
    rows : (N, E) float array
    size : int
        V, rows of the table.

    Returns
    -------
    table : (V, E) float array
    """
    order = xp.argsort(indices, kind="stable")
    bounds = xp.searchsorted(indices[order], xp.arange(size + 1))
    wide = numpy.result_type(rows.dtype, numpy.float64)
    zero = xp.zeros((1, rows.shape[1]), wide)
    totals = xp.concatenate([zero, xp.cumsum(rows[order], axis=0, dtype=wide)])[bounds]
    return (totals[1:] - totals[:-1]).astype(rows.dtype)
