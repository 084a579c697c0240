"""Products and sums of rows, for kernels that work on one question at a time."""

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import OPTIONS


@njit(**OPTIONS)
def dot(x, y):
    """Return the product of two rows."""
    total = x.dtype.type(0)
    for d in range(len(x)):
        total += x[d] * y[d]
    return total


@njit(**OPTIONS)
def add(y, factor, x):
    """Add ``y += factor x`` in place."""
    for d in range(len(x)):
        y[d] += factor * x[d]


@njit(**OPTIONS)
def times(matrix, x, y):
    """Fill ``y = matrix x``."""
    for i in range(len(matrix)):
        y[i] = dot(matrix[i], x)


@njit(**OPTIONS)
def add_transposed(matrix, x, y):
    """Add ``y += matrixᵀ x``; rows with a factor of zero are skipped."""
    for i in range(len(matrix)):
        if x[i] != 0:
            add(y, x[i], matrix[i])
