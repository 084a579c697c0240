"""The bow reader: a thread a number there, a block a word of the vocabulary back."""

from kvnet.kernels.cuda.compilation import blocks, launch, numbers
from kvnet.kernels.cuda.gather import COLUMNS_A_BLOCK, places_by_row


def embedding_sum(xp, words, table, encoding):
    """Do what `kvnet.operations.embedding_sum` does, without a temporary a word.

    Parameters, returns and source: see `kvnet.operations.embedding_sum`.
    """
    words = numbers(xp, words)
    (N, S), (V, E), dtype = words.shape, table.shape, table.dtype
    readings = xp.empty((N, E), dtype)
    launch(xp, dtype, "sum_words", blocks(N * E), (words, table, encoding, readings, N, S, E))

    def backward(d_readings):
        d_table = xp.empty((V, E), dtype)
        is_sorted, order, starts = places_by_row(xp, words, V)
        arguments = is_sorted, words, N * S, N * S, order, starts, S, E, V, encoding
        arguments += xp.ascontiguousarray(d_readings), d_table, d_table, 0, 0, 0
        launch(xp, dtype, "gather_words", (V, 1, blocks(E, COLUMNS_A_BLOCK)), arguments)
        return d_table

    return readings, backward
