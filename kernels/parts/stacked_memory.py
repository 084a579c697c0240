"""A key-value memory as kernels take it: temporal encodings and readings in one table."""

from typing import NamedTuple

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import INNER, OPTIONS, as_int32
from kvnet.operations.memory import Memory

SLOT_COST = 8  # of a slot's dot product, relative to as many multiplications in a dense product


class StackedMemory(NamedTuple):
    """A memory whose slot i has as key row i plus row ``M + key_rows_i`` of the table of keys.

    Attributes
    ----------
    keys, values : (M + U, D) float array
        ``[T; r]``: the temporal encodings, then the readings.
    key_rows, value_rows : (B, M) int32 array
        Rows of the readings.
    allowed : (B, M) bool array
        Slots that take part in the softmax; (B, 0) for all, so that there is one type to compile.
    filled : (B,) int64 array
        Slots up to the last that is not empty. The others all hold reading 0.
    shared : bool
        Whether a product with all readings is cheaper than one with each filled slot's.
    """

    keys: numpy.ndarray
    values: numpy.ndarray
    key_rows: numpy.ndarray
    value_rows: numpy.ndarray
    allowed: numpy.ndarray
    filled: numpy.ndarray
    shared: bool


def stack_memory(memory: Memory) -> StackedMemory:
    """Return a memory of `kvnet.operations` as kernels take it."""
    keys, values = (numpy.concatenate((T, memory.readings)) for T in (memory.TK, memory.TV))
    key_rows, value_rows = as_int32(memory.key_rows), as_int32(memory.value_rows)
    no_mask = numpy.empty((len(key_rows), 0), bool)
    allowed = no_mask if memory.allowed is None else memory.allowed
    filled = filled_slots(key_rows, value_rows)
    shared = are_shared(filled, len(memory.readings))
    return StackedMemory(keys, values, key_rows, value_rows, allowed, filled, shared)


@njit(**INNER)
def memory_of_block(memory, block):
    """Return the memory of some of the questions, a slice."""
    rows = memory.key_rows[block], memory.value_rows[block]
    allowed, filled = memory.allowed[block], memory.filled[block]
    return StackedMemory(memory.keys, memory.values, *rows, allowed, filled, memory.shared)


@njit(**OPTIONS)
def filled_slots(key_rows, value_rows):
    """Count each question's slots up to the last that is not empty, (B,)."""
    B, M = key_rows.shape
    filled = numpy.zeros(B, numpy.int64)
    for b in range(B):
        for i in range(M):
            if key_rows[b, i] != 0 or value_rows[b, i] != 0:
                filled[b] = i + 1
    return filled


@njit(**OPTIONS)
def are_shared(filled, readings):
    """Return whether a product with all readings is cheaper than one with each filled slot's."""
    return len(filled) * readings <= SLOT_COST * filled.sum()
