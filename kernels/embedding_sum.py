"""The bow reader, over the words that are not nil."""

import numpy

from kvnet.kernels.parts.compile_options import as_int32
from kvnet.kernels.parts.threads import run_on_all_threads
from kvnet.kernels.parts.word_sums import SENTENCES_PER_BLOCK, add_words_in_blocks, scatter_words


def embedding_sum(xp, words, table, encoding):
    """Fused form of `kvnet.operations.embedding_sum`: one pass, without an array per word.

    Parameters, returns and references: see `kvnet.operations.embedding_sum`.
    """
    words = as_int32(words)
    readings = numpy.zeros((len(words), table.shape[1]), table.dtype)
    blocks = -(-len(words) // SENTENCES_PER_BLOCK)
    run_on_all_threads(add_words_in_blocks, blocks, words, table, encoding, readings)

    def backward(d_readings):
        d_table = numpy.zeros(table.shape, table.dtype)
        scatter_words(words, d_readings, encoding, d_table)
        return d_table

    return readings, backward
