"""Products of a question's vector with the readings in its slots, without gathering them.

A slot holds a row of the readings. The slots after a question's last one that holds anything all
hold row 0, the empty slot's: that is multiplied once a question.
"""

import numpy
from numba import njit

from kvnet.kernels.parts.compile_options import OPTIONS


def mask(allowed, rows: int):
    """Return `allowed`, or for None a mask without columns: numba takes an array either way."""
    return numpy.empty((rows, 0), bool) if allowed is None else allowed


@njit(**OPTIONS)
def filled_slots(key_rows, value_rows):
    """Count each question's slots up to the last that holds anything, (B,)."""
    B, M = key_rows.shape
    filled = numpy.zeros(B, numpy.int64)
    for b in range(B):
        for i in range(M):
            if key_rows[b, i] != 0 or value_rows[b, i] != 0:
                filled[b] = i + 1
    return filled


@njit(**OPTIONS)
def dot(x, y):
    """Multiply two vectors of at least one number."""
    total = x[0] * y[0]
    for d in range(1, len(x)):
        total += x[d] * y[d]
    return total


@njit(**OPTIONS)
def add_scaled(y, factor, x):
    """Add ``y += factor x`` in place."""
    for d in range(len(x)):
        y[d] += factor * x[d]


@njit(**OPTIONS)
def _rest(p, filled):
    total = p[0] * 0
    for i in range(filled, len(p)):
        total += p[i]
    return total


@njit(**OPTIONS)
def add_dots(rows, filled, readings, w, scores):
    """Add ``scores[b, i] += w_b · readings[rows[b, i]]`` in place."""
    for b in range(len(rows)):
        for i in range(filled[b]):
            scores[b, i] += dot(readings[rows[b, i]], w[b])
        empty = dot(readings[0], w[b])
        for i in range(filled[b], rows.shape[1]):
            scores[b, i] += empty


@njit(**OPTIONS)
def add_sums(rows, filled, readings, p, o):
    """Add ``o_b += sum_i p[b, i] readings[rows[b, i]]`` in place."""
    for b in range(len(rows)):
        for i in range(filled[b]):
            add_scaled(o[b], p[b, i], readings[rows[b, i]])
        add_scaled(o[b], _rest(p[b], filled[b]), readings[0])


@njit(**OPTIONS)
def gather_rows(rows, filled, p, w, d_readings):
    """Sum by reading what slots say, to `d_readings`: slot i adds ``sum_h p_h[b, i] w_h[b]``.

    `p` and `w` hold all questions' first hop, then their second, and so on.
    """
    B = len(rows)
    for u in range(len(d_readings)):
        for d in range(d_readings.shape[1]):
            d_readings[u, d] = 0
    for b in range(B):
        for i in range(filled[b]):
            d_reading = d_readings[rows[b, i]]
            for h in range(b, len(p), B):
                add_scaled(d_reading, p[h, i], w[h])
        for h in range(b, len(p), B):
            add_scaled(d_readings[0], _rest(p[h], filled[b]), w[h])


@njit(**OPTIONS)
def occurrences(rows, filled, U):
    """Sort the filled slots by the row that they hold, in their order (a counting sort).

    Returns
    -------
    starts : (U + 1,) int64 array
        Row u is held by the slots ``starts[u]`` to ``starts[u + 1]`` of the sorted ones.
    questions, slots : (N,) int64 array
        Of the sorted slots: whose it is and which.
    """
    starts = numpy.zeros(U + 2, numpy.int64)
    for b in range(len(rows)):
        for i in range(filled[b]):
            starts[rows[b, i] + 2] += 1
    for u in range(2, U + 2):
        starts[u] += starts[u - 1]
    questions = numpy.empty(starts[-1], numpy.int64)
    slots = numpy.empty_like(questions)
    for b in range(len(rows)):
        for i in range(filled[b]):
            place = starts[rows[b, i] + 1]
            questions[place], slots[place] = b, i
            starts[rows[b, i] + 1] += 1
    return starts[:-1], questions, slots
