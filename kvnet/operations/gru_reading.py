"""The simple_gru reader: a sentence is the last state of a GRU over its words' embeddings."""

from kvnet.operations.embedding_lookup import embedding_lookup
from kvnet.operations.gru import GruWeights, gru


def gru_reading(xp, words, table, weights: GruWeights):
    """Read sentences: `gru` over ``W[x_1] .. W[x_S]``, where the nil word's embedding is zero.

    Parameters
    ----------
    xp : module
        Array module.
    words : (N, S) integer array
        Word ids; 0 is the nil word that pads a sentence.
    table : (V, E) float array
        W. Row 0 is read as zero whatever it contains.
    weights : GruWeights

    Returns
    -------
    readings : (N, F) float array
    backward : callable
        ``d_readings (N, F) -> d_table (V, E), d_weights (GruWeights)``; d_table's row 0 is zero.

    References
    ----------
    Cho et al. 2014 (arXiv 1406.1078), section 2.3.
    """
    x, backward_lookup = embedding_lookup(xp, words, table)  # (N, S, E)
    readings, backward_gru = gru(xp, x, weights)

    def backward(d_readings):
        dx, d_weights = backward_gru(d_readings)
        return backward_lookup(dx), d_weights

    return readings, backward
