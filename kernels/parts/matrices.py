"""Products, transposes, copies and sums of matrices."""

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, OPTIONS


@njit(**NOT_INLINED)
def multiply(a, b, product):
    """Multiply matrices with BLAS. Not inlined: it rounds nothing itself and is long to compile."""
    numpy.dot(a, b, product)


@njit(**OPTIONS)
def transposed(matrix):
    """Return a contiguous copy of a matrix's transpose.

    BLAS multiplies small matrices nearly twice as fast by it as by a transposed view.
    """
    rows, columns = matrix.shape
    copy = numpy.empty((columns, rows), matrix.dtype)
    for c in range(columns):
        for r in range(rows):  # the inner loop writes contiguously, so it compiles to vectors
            copy[c, r] = matrix[r, c]
    return copy


@njit(**OPTIONS)
def copy_into(target, source):
    """Copy as many rows as both have. A slice assignment would take seconds to compile."""
    for n in range(min(len(target), len(source))):
        for d in range(source.shape[1]):
            target[n, d] = source[n, d]


@njit(**OPTIONS)
def add_up(x, y):
    """Add ``y += x`` in place, for matrices."""
    for n in range(len(y)):
        for d in range(y.shape[1]):
            y[n, d] += x[n, d]
