"""Slots filled with readings."""

from kvnet.operations.take_rows import take_rows


def fill_slots(xp, readings, rows, temporal):
    """Fill slots with readings and temporal encodings: ``k_bi = r[rows_bi] + T_i``.

    Parameters
    ----------
    xp : module
        Array module.
    readings : (U, D) float array
        r, a row per different sentence.
    rows : (B, M) integer array
        The reading that each slot holds.
    temporal : (M, D) float array
        T, the temporal encoding of each slot.

    Returns
    -------
    slots : (B, M, D) float array
    backward : callable
        ``d_slots (B, M, D) -> d_readings (U, D), d_temporal (M, D)``
    """
    taken, backward_rows = take_rows(xp, readings, rows)
    slots = taken + temporal

    def backward(d_slots):
        return backward_rows(d_slots), d_slots.sum(axis=0)

    return slots, backward
