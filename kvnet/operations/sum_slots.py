"""Slots that are sums of readings."""

from kvnet.operations.scatter_rows import scatter_rows
from kvnet.operations.without_nil import without_nil


def sum_slots(xp, readings, rows):
    """Fill slots with sums of readings: ``m_bi = sum_k r[rows_bik]``; row 0 adds nothing.

    Parameters
    ----------
    xp : module
        Array module.
    readings : (U, E) float array
        r. Row 0 is read as zero whatever it contains.
    rows : (B, M, K) integer array
        The readings of each slot, such as a sentence and its time.

    Returns
    -------
    slots : (B, M, E) float array
    backward : callable
        ``d_slots (B, M, E) -> d_readings (U, E)``; its row 0 is zero.
    """
    slots = without_nil(readings)[rows].sum(axis=2)

    def backward(d_slots):
        (U, E), K = readings.shape, rows.shape[2]
        d_terms = xp.repeat(d_slots.reshape(-1, E), K, axis=0)  # (B M K, E), a slot's K in a row
        d_readings = scatter_rows(xp, rows.reshape(-1), d_terms, U)
        d_readings[0] = 0
        return d_readings

    return slots, backward
