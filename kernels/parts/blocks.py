"""How work is cut into blocks: by its size alone, so that results do not depend on the threads."""

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import OPTIONS

QUESTIONS_PER_BLOCK = 25
MAX_QUESTION_BLOCKS = 8  # each has its own gradient of all matrices, and these must be summed


@njit(**OPTIONS)
def cut_questions(questions):
    """Cut questions into at most `MAX_QUESTION_BLOCKS` blocks; see `cut`."""
    blocks = (questions + QUESTIONS_PER_BLOCK - 1) // QUESTIONS_PER_BLOCK
    blocks = max(1, min(MAX_QUESTION_BLOCKS, blocks))
    return cut(questions, (questions + blocks - 1) // blocks)


@njit(**OPTIONS)
def cut(rows, rows_per_block):
    """Cut rows into blocks of nearly equal size.

    Returns
    -------
    bounds : (blocks + 1,) int64 array
        Block k has the rows from ``bounds[k]`` to ``bounds[k + 1]``.
    """
    blocks = max(1, (rows + rows_per_block - 1) // rows_per_block)
    return numpy.arange(blocks + 1) * rows // blocks
