"""The memory read, given each different sentence's reading once and the slots that hold it."""

from kvnet.operations.embedding_lookup import sum_rows_by_word
from kvnet.operations.memory_read import memory_read


def fill_slots(xp, readings, rows, temporal):
    """Put readings into slots: ``k_bi = r[row_bi] + T_i``.

    Parameters
    ----------
    xp : module
        Array module.
    readings : (U, D) float array
        Of the different sentences.
    rows : (B, M) integer array
        The sentence that each slot holds.
    temporal : (M, D) float array
        T, what tells the slots apart.

    Returns
    -------
    slots : (B, M, D) float array
    backward : callable
        ``d_slots (B, M, D) -> d_readings (U, D), d_temporal (M, D)``
    """
    slots = readings[rows] + temporal

    def backward(d_slots):
        U, D = readings.shape
        d_readings = sum_rows_by_word(xp, rows.reshape(-1), d_slots.reshape(-1, D), U)
        return d_readings, d_slots.sum(axis=0)

    return slots, backward


def read_slots(xp, query, readings, TK, TV, A, hop_matrices, key_rows, value_rows, allowed):
    """Hop over a memory whose slots hold sentences by number.

    ``k_i = r[key_row_i] + TK_i``, ``v_i = r[value_row_i] + TV_i``, then `memory_read`.

    Parameters
    ----------
    xp : module
        Array module.
    query : (B, D) float array
    readings : (U, D) float array
        Of the different sentences; a sentence may be key and value.
    TK, TV : (M, D) float array
        Temporal encodings of keys and values.
    A : (F, D) float array
    hop_matrices : sequence of H (F, F) float arrays
    key_rows, value_rows : (B, M) integer array
        Rows of the readings.
    allowed : (B, M) bool array or None
        Slots that take part in the softmax; None for all.

    Returns
    -------
    u : (B, F) float array
    attention : (H, B, M) float array
    backward : callable
        ``du (B, F) -> d_query, d_readings, dTK, dTV, dA, d_hop_matrices``

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3.1.
    """
    keys, backward_keys = fill_slots(xp, readings, key_rows, TK)
    values, backward_values = fill_slots(xp, readings, value_rows, TV)
    u, attention, backward_read = memory_read(xp, query, keys, values, A, hop_matrices, allowed)

    def backward(du):
        d_query, d_keys, d_values, dA, d_hop_matrices = backward_read(du)
        d_as_keys, dTK = backward_keys(d_keys)
        d_as_values, dTV = backward_values(d_values)
        return d_query, d_as_keys + d_as_values, dTK, dTV, dA, d_hop_matrices

    return u, attention, backward
