"""The simple_gru reader: one thread block per sentence, all words in one launch."""

from kvnet.kernels.cuda.parts.constants import PARTIAL_SUMS
from kvnet.kernels.cuda.parts.gather import gather_words
from kvnet.kernels.cuda.parts.launch import as_int32, fits_shared_memory, launch
from kvnet.kernels.cuda.parts.products import products
from kvnet.operations import GruWeights, without_nil
from kvnet.operations import gru_reading as textbook


def gru_reading(xp, words, table, weights):
    """CUDA form of `kvnet.operations.gru_reading`.

    The textbook, if the state is too wide for a block. A place adds ``W[x] W_x + b`` to its gates,
    which depends on the word only: it is computed once per word of the vocabulary. Only the
    contribution of the state is computed per place.

    Parameters, returns and references: see there.
    """
    F, dtype = len(weights.candidate_bias), table.dtype
    shared_size = 8 * F + PARTIAL_SUMS
    if not fits_shared_memory(shared_size, dtype):
        return textbook(xp, words, table, weights)
    words = as_int32(xp, words)
    (N, S), (V, E) = words.shape, table.shape
    matrices = weights.gate_weights, weights.candidate_weights
    by_word = xp.concatenate([matrix[:E] for matrix in matrices], axis=1)  # (E, 3 F)
    to_gates, to_candidate = (xp.ascontiguousarray(matrix[E:]) for matrix in matrices)
    embeddings = without_nil(table)
    mapped = xp.dot(embeddings, by_word)  # (V, 3 F)
    mapped += xp.concatenate([weights.gate_bias, weights.candidate_bias])

    def empty(*shape):
        return xp.empty(shape, dtype)

    states, gates, candidates = empty(N * S, 2 * F), empty(N * S, 2 * F), empty(N * S, F)
    readings = empty(N, F)

    def run(name, **arrays):
        arrays |= {"states": states, "gates": gates, "candidates": candidates}
        arrays |= {"to_gates": to_gates, "to_candidate": to_candidate}
        launch(xp, dtype, name, N, shared_size=shared_size, S=S, F=F, **arrays)

    run("gru_reading", words=words, mapped=mapped, readings=readings)

    def backward(d_readings):
        d_mapped = empty(N * S, 3 * F)
        run("gru_reading_backward", d_readings=xp.ascontiguousarray(d_readings), d_mapped=d_mapped)
        # Places are gathered as sentences of one word, without an encoding. The nil word, which has
        # no embedding, gets nothing.
        d_vocabulary = gather_words(xp, words, V, xp.ones((1, 3 * F), dtype), d_mapped)
        factors = [(states, d_mapped), (embeddings, d_vocabulary)]
        # (2 F, 3 F), first the rows of the state, then those of the reset state; and (E, 3 F)
        d_by_state, d_by_word = products(xp, factors)
        d_bias = d_mapped.sum(axis=0)
        d_weights = GruWeights(
            xp.concatenate([d_by_word[:, : 2 * F], d_by_state[:F, : 2 * F]]),
            d_bias[: 2 * F],
            xp.concatenate([d_by_word[:, 2 * F :], d_by_state[F:, 2 * F :]]),
            d_bias[2 * F :],
        )
        return xp.dot(d_vocabulary, by_word.T), d_weights

    return readings, backward
