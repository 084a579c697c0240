"""The simple_gru reader: a sentence is the last state of a GRU over its words' embeddings."""

from kvnet.operations.embedding_lookup import embedding_lookup
from kvnet.operations.gru import gru


def gru_reading(xp, words, table, gate_weights, gate_bias, candidate_weights, candidate_bias):
    """Read sentences: `gru` over ``W[x_1] .. W[x_S]``; the nil word steps like any other, as zero.

    Parameters
    ----------
    xp : module
        Array module.
    words : (N, S) integer array
        Word ids; 0 is the nil word that pads a sentence.
    table : (V, E) float array
        W. Row 0 is read as zero whatever it holds.
    gate_weights, gate_bias, candidate_weights, candidate_bias
        As for `gru`.

    Returns
    -------
    readings : (N, F) float array
    backward : callable
        ``d_readings (N, F) -> d_table, d_gate_weights, d_gate_bias, d_candidate_weights,
        d_candidate_bias``; d_table's row 0 is zero.
    """
    x, backward_lookup = embedding_lookup(xp, words, table)  # (N, S, E)
    readings, backward_gru = gru(xp, x, gate_weights, gate_bias, candidate_weights, candidate_bias)

    def backward(d_readings):
        dx, *d_weights = backward_gru(d_readings)
        return backward_lookup(dx), *d_weights

    return readings, backward
