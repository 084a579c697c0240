"""A memory whose slots are sums of readings by number, and the hops over it."""

from kvnet.operations.adjacent_read import adjacent_read
from kvnet.operations.context_read import layerwise_read
from kvnet.operations.embedding_lookup import sum_rows_by_word, without_nil


def sum_slots(xp, readings, rows):
    """Fill slots: ``m_bi = sum_k r[rows_bik]``; row 0 stands for nothing.

    Parameters
    ----------
    xp : module
        Array module.
    readings : (U, E) float array
        Row 0 is read as zero whatever it holds.
    rows : (B, M, K) integer array
        What each slot holds, such as a sentence and its time.

    Returns
    -------
    slots : (B, M, E) float array
    backward : callable
        ``d_slots (B, M, E) -> d_readings (U, E)``; its row 0 is zero.
    """
    slots = without_nil(readings)[rows].sum(axis=2)

    def backward(d_slots):
        (U, E), K = readings.shape, rows.shape[2]
        d_parts = xp.repeat(d_slots.reshape(-1, E), K, axis=0)  # a slot's parts, one under another
        d_readings = sum_rows_by_word(xp, rows.reshape(-1), d_parts, U)
        d_readings[0] = 0
        return d_readings

    return slots, backward


def adjacent_slots(xp, u, readings, rows, with_softmax: bool = True):
    """Hop over such a memory as `adjacent_read` does.

    Parameters
    ----------
    xp : module
        Array module.
    u : (B, E) float array
        u_1.
    readings : sequence of H + 1 (U, E) float arrays
        What m_1..m_{H+1} are summed of, as `sum_slots` does.
    rows : (B, M, K) integer array
        The same for all of them.
    with_softmax : bool
        As for `address`.

    Returns
    -------
    u : (B, E) float array
        u_{H+1}.
    attention : (H, B, M) float array
    backward : callable
        ``du (B, E) -> du_1 (B, E), d_readings``, the latter a list of H + 1 (U, E)

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), section 2.2.
    """
    memories, backward_slots = zip(*(sum_slots(xp, r, rows) for r in readings), strict=True)
    u, attention, backward_read = adjacent_read(xp, u, memories, with_softmax)

    def backward(du):
        du, d_memories = backward_read(du)
        pairs = zip(backward_slots, d_memories, strict=True)
        return du, [backward_sum(d_memory) for backward_sum, d_memory in pairs]

    return u, attention, backward


def layerwise_slots(
    xp, u, key_readings, value_readings, matrix, rows, hops: int, with_softmax: bool = True
):
    """Hop over such a memory as `layerwise_read` does, everything linear between hops.

    Parameters
    ----------
    xp : module
        Array module.
    u : (B, E) float array
        u_0.
    key_readings, value_readings : (U, E) float array
        What keys and values are summed of, as `sum_slots` does.
    matrix : (E, E) float array
    rows : (B, M, K) integer array
    hops : int
        H.
    with_softmax : bool
        As for `address`.

    Returns
    -------
    u : (B, E) float array
        u_H.
    attention : (H, B, M) float array
    backward : callable
        ``du (B, E) -> du_0 (B, E), d_key_readings (U, E), d_value_readings (U, E),
        d_matrix (E, E)``

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), section 2.2.
    """
    keys, backward_keys = sum_slots(xp, key_readings, rows)
    values, backward_values = sum_slots(xp, value_readings, rows)
    E = u.shape[1]
    u, attention, backward_read = layerwise_read(xp, u, keys, values, matrix, hops, E, with_softmax)

    def backward(du):
        du, d_keys, d_values, d_matrix = backward_read(du)
        return du, backward_keys(d_keys), backward_values(d_values), d_matrix

    return u, attention, backward
