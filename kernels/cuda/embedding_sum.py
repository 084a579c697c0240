"""The bow reader: a thread a number there, a block a word of the vocabulary back."""

from kvnet.kernels.cuda.parts.compilation import blocks, launch, numbers
from kvnet.kernels.cuda.parts.gather import gather_words


def embedding_sum(xp, words, table, encoding):
    """Do what `kvnet.operations.embedding_sum` does, without a temporary a word.

    Parameters, returns and source: see `kvnet.operations.embedding_sum`.
    """
    words = numbers(xp, words)
    (N, S), (V, E), dtype = words.shape, table.shape, table.dtype
    readings = xp.empty((N, E), dtype)
    launch(xp, dtype, "sum_words", blocks(N * E), (words, table, encoding, readings, N, S, E))

    def backward(d_readings):
        return gather_words(xp, words, V, encoding, xp.ascontiguousarray(d_readings))

    return readings, backward
