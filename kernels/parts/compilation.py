"""How kernels are compiled, and how their work is cut into blocks and spread over threads."""

import os
from contextlib import suppress
from pathlib import Path

import numpy
from numba import njit

from kvnet import counter_random

# The NumPy error model divides without a branch for zero, which would keep loops from vectorising.
# A helper is always inlined. Else each kernel that calls it brings a copy, and which copy runs, and
# so how it rounds, would hang on what this process compiled and what it found on disk.
OPTIONS = {
    "cache": True,
    "error_model": "numpy",
    "fastmath": True,
    "forceinline": True,
    "nogil": True,
}
# What only kernels call needs no way in from Python, which for many arrays is long to compile.
INNER = OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
NOT_INLINED = OPTIONS | {"forceinline": False}
INNER_NOT_INLINED = INNER | {"forceinline": False}
# Only loops over blocks are spread over threads: whatever Numba would split by itself, it would cut
# by the number of threads, and sums with it.
PARALLEL = NOT_INLINED | {
    "parallel": {
        "prange": True,
        "comprehension": False,
        "reduction": False,
        "inplace_binop": False,
        "setitem": False,
        "numpy": False,
        "stencil": False,
        "fusion": False,
    }
}
QUESTIONS_A_BLOCK = 25
MOST_BLOCKS = 8  # of questions: each leaves a gradient of all matrices, and they must be added up
# Threads meet several times a step. GNU's OpenMP lets the early ones spin for milliseconds, which
# takes the core from the late one on a busy machine (measured: 50 times slower). A microsecond or
# two costs nothing on an idle one. It is read when OpenMP is loaded, that is, after this.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")


def forget_outdated(sources: list[Path], compiled: list[Path]) -> None:
    """Delete what was compiled before the newest of the sources was written.

    Numba keeps what it compiled until the kernel's own file changes. A kernel is made of helpers
    and constants in other files too, and would go on with their old form.
    """
    newest = max(source.stat().st_mtime_ns for source in sources)
    for path in compiled:
        with suppress(OSError):  # gone already, or another user's
            if path.stat().st_mtime_ns < newest:
                path.unlink()


_HERE, _LIBRARY = Path(__file__).parent, Path(counter_random.__file__).parent
forget_outdated(
    [*_HERE.glob("*.py"), *_LIBRARY.rglob("*.py")], [*_HERE.glob("__pycache__/*.nb[ci]")]
)


def numbers(array):
    """Return rows or words as one kind of array, so that kernels are compiled for no other."""
    return numpy.ascontiguousarray(array, numpy.int32)


@njit(**OPTIONS)
def cut_questions(questions):
    """Cut questions into a few blocks; see `cut`."""
    blocks = max(1, min(MOST_BLOCKS, (questions + QUESTIONS_A_BLOCK - 1) // QUESTIONS_A_BLOCK))
    return cut(questions, (questions + blocks - 1) // blocks)


@njit(**OPTIONS)
def cut(rows, rows_a_block):
    """Cut rows into blocks of nearly equal size, whatever the number of threads.

    Returns
    -------
    bounds : (blocks + 1,) int64 array
        Block k holds rows ``bounds[k]`` to ``bounds[k + 1]``.
    """
    blocks = max(1, (rows + rows_a_block - 1) // rows_a_block)
    return numpy.arange(blocks + 1) * rows // blocks


@njit(**NOT_INLINED)
def multiply(a, b, product):
    """Multiply matrices, which BLAS does: nothing to round here, and much to compile."""
    numpy.dot(a, b, product)


@njit(**OPTIONS)
def transposed(matrix):
    """Return a matrix's transpose, laid out anew.

    BLAS multiplies small matrices nearly twice as fast by a matrix as by one read column by column.
    """
    rows, columns = matrix.shape
    copy = numpy.empty((columns, rows), matrix.dtype)
    for c in range(columns):
        for r in range(rows):  # the inner loop writes in a row, and compiles to vector instructions
            copy[c, r] = matrix[r, c]
    return copy


@njit(**OPTIONS)
def copy_into(target, source):
    """Copy as many rows as both have (a slice assignment takes seconds to compile)."""
    for n in range(min(len(target), len(source))):
        for d in range(source.shape[1]):
            target[n, d] = source[n, d]


@njit(**OPTIONS)
def add_up(x, y):
    """Add ``y += x`` in place, for matrices."""
    for n in range(len(y)):
        for d in range(y.shape[1]):
            y[n, d] += x[n, d]
