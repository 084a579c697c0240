"""The simple_gru reader: a sentence a block of threads, through all its words in one launch."""

from kvnet.kernels.cuda.parts.compilation import SHARED_BYTES, THREADS, launch, numbers
from kvnet.kernels.cuda.parts.gather import gather_words
from kvnet.kernels.cuda.parts.products import products
from kvnet.operations import gru_reading as textbook_gru_reading
from kvnet.operations.embedding_lookup import without_nil


def gru_reading(xp, words, table, gate_weights, gate_bias, candidate_weights, candidate_bias):
    """Do what `kvnet.operations.gru_reading` does; the textbook itself where a state is too wide.

    A place adds to its gates ``W[x] W_x + b``, which hangs on the word alone: that is made once a
    word of the vocabulary. Only what the state adds is made place by place.

    Parameters, returns and source: see `kvnet.operations.gru_reading`.
    """
    weights = gate_weights, gate_bias, candidate_weights, candidate_bias
    F, dtype, shared = len(candidate_bias), table.dtype, 8 * len(candidate_bias) + THREADS
    if shared * dtype.itemsize > SHARED_BYTES:
        return textbook_gru_reading(xp, words, table, *weights)
    words = numbers(xp, words)
    (N, S), (V, E) = words.shape, table.shape
    by_word = xp.concatenate([gate_weights[:E], candidate_weights[:E]], axis=1)  # (E, 3 F)
    by_state = [xp.ascontiguousarray(part[E:]) for part in (gate_weights, candidate_weights)]
    embeddings = without_nil(table)
    mapped = xp.dot(embeddings, by_word)  # (V, 3 F)
    mapped += xp.concatenate([gate_bias, candidate_bias])

    def empty(*shape):
        return xp.empty(shape, dtype)

    left = states, *_ = empty(N * S, 2 * F), empty(N * S, 2 * F), empty(N * S, F)
    readings = empty(N, F)
    launch(xp, dtype, "gru_places", N, (words, mapped, *by_state, S, F, *left, readings), shared)

    def backward(d_readings):
        d_given = empty(N * S, 3 * F)
        given = xp.ascontiguousarray(d_readings), *by_state, S, F, *left, d_given
        launch(xp, dtype, "gru_places_back", N, given, shared)
        # Places are gathered as sentences of one word, without an encoding. The nil word gets
        # nothing: it has no embedding.
        d_vocabulary = gather_words(xp, words, V, xp.ones((1, 3 * F), dtype), d_given)
        d_by_state, d_by_word = products(
            xp, [(states, d_given), (embeddings, d_vocabulary)]
        )  # (2 F, 3 F): the state's in the first F rows, the reset one's in the others
        d_bias = d_given.sum(axis=0)
        return (
            xp.dot(d_vocabulary, by_word.T),
            xp.concatenate([d_by_word[:, : 2 * F], d_by_state[:F, : 2 * F]]),
            d_bias[: 2 * F],
            xp.concatenate([d_by_word[:, 2 * F :], d_by_state[F:, 2 * F :]]),
            d_bias[2 * F :],
        )

    return readings, backward
