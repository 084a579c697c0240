"""The bow reader over real words only."""

import numpy

from kvnet.kernels.parts.compile_options import as_int32
from kvnet.kernels.parts.word_sums import (
    SENTENCES_A_BLOCK,
    add_words,
    add_words_in_blocks,
    scatter_words,
)


def embedding_sum(xp, words, table, encoding):
    """Do what `kvnet.operations.embedding_sum` does, in one pass and without a temporary a word.

    Parameters, returns and source: see `kvnet.operations.embedding_sum`.
    """
    words = as_int32(words)
    readings = numpy.zeros((len(words), table.shape[1]), table.dtype)
    add = add_words if len(words) <= SENTENCES_A_BLOCK else add_words_in_blocks
    add(words, table, encoding, readings)

    def backward(d_readings):
        d_table = numpy.zeros(table.shape, table.dtype)
        scatter_words(words, d_readings, encoding, d_table)
        return d_table

    return readings, backward
