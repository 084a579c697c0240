"""The bow reader: a thread per four columns forward, a block per word backward."""

from kvnet.kernels.cuda.parts.gather import gather_words
from kvnet.kernels.cuda.parts.launch import as_int32, blocks_for, launch


def embedding_sum(xp, words, table, encoding):
    """CUDA form of `kvnet.operations.embedding_sum`, without a temporary array per word.

    Parameters, returns and references: see there.
    """
    words = as_int32(xp, words)
    (N, S), (V, E), dtype = words.shape, table.shape, table.dtype
    readings = xp.empty((N, E), dtype)
    arrays = {"words": words, "table": table, "encoding": encoding, "readings": readings}
    launch(xp, dtype, "embedding_sum", blocks_for(N * blocks_for(E, 4)), **arrays, N=N, S=S, E=E)

    def backward(d_readings):
        return gather_words(xp, words, V, encoding, xp.ascontiguousarray(d_readings))

    return readings, backward
