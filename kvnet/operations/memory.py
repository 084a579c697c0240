"""A memory whose slots name rows of tables, and the gradient of such a memory."""

from typing import NamedTuple

import numpy


class Memory(NamedTuple):
    """Key-value slots: ``k_i = r[key_rows_i] + TK_i``, ``v_i = r[value_rows_i] + TV_i``.

    Each different sentence is read once; slots that hold it share its reading. The gradient of a
    memory is a `Memory` too: the gradients of the float arrays, and None for the others.

    Attributes
    ----------
    readings : (U, D) float array
        r, a row per different sentence.
    TK, TV : (M, D) float array
        Temporal encodings of keys and values.
    key_rows, value_rows : (B, M) integer array
        The reading that each slot holds, as key and as value.
    allowed : (B, M) bool array or None
        Slots that take part in the softmax; None for all.
    """

    readings: numpy.ndarray
    TK: numpy.ndarray
    TV: numpy.ndarray
    key_rows: numpy.ndarray | None = None
    value_rows: numpy.ndarray | None = None
    allowed: numpy.ndarray | None = None


class ContextMemory(NamedTuple):
    """Slots of words: ``k_i = r_k[rows_i] + TK_i``, ``v_i = r_v[rows_i] + TV_i``.

    The gradient of such a memory is a `ContextMemory` too, with None for the rows.

    Attributes
    ----------
    key_readings, value_readings : (U, E) float array
        Embeddings of the different words, for matching and for reading.
    TK, TV : (M, E) float array
        Temporal encodings of keys and values.
    rows : (B, M) integer array
        The word that each slot holds: a row of the readings.
    """

    key_readings: numpy.ndarray
    value_readings: numpy.ndarray
    TK: numpy.ndarray
    TV: numpy.ndarray
    rows: numpy.ndarray | None = None
