"""Rows of a table, by index, and the sums of their gradients in one pass."""

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, as_int32


@njit(**NOT_INLINED)
def _scatter(indices, rows, table):
    for n in range(len(indices)):
        to = table[indices[n]]
        for d in range(len(to)):
            to[d] += rows[n, d]


def take_rows(xp, table, indices):
    """Fused form of `kvnet.operations.take_rows`: the backward pass does not sort.

    Parameters, returns and references: see `kvnet.operations.take_rows`.
    """
    rows, (U, D) = table[indices], table.shape

    def backward(d_rows):
        d_table = numpy.zeros((U, D), table.dtype)
        d_rows = numpy.ascontiguousarray(d_rows).reshape(-1, D)
        _scatter(as_int32(indices).reshape(-1), d_rows, d_table)
        return d_table

    return rows, backward
