"""Products of a question's query with the readings in its slots, without filling the slots.

A slot holds a row of the readings. The slots after the last filled one hold row 0, the reading of
the empty slot: it is multiplied once per question.
"""

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import OPTIONS


@njit(**OPTIONS)
def dot(x, y):
    """Multiply two vectors, of at least one component."""
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
def _sum_from(first, p):
    total = p[0] * 0
    for i in range(first, len(p)):
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
        add_scaled(o[b], _sum_from(filled[b], p[b]), readings[0])


@njit(**OPTIONS)
def gather_rows(rows, filled, p, w, d_readings):
    """Set the gradient of each reading: a slot with it adds ``sum_h p_h[b, i] w_h[b]``.

    `p` and `w` have all questions of hop 1, then of hop 2, etc.
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
            add_scaled(d_readings[0], _sum_from(filled[b], p[h]), w[h])


@njit(**OPTIONS)
def occurrences(values, filled, U):
    """Sort the first ``filled[b]`` columns of each row by value (a stable counting sort).

    Returns
    -------
    starts : (U + 1,) int64 array
        Value u is at the entries ``starts[u]`` to ``starts[u + 1]`` of the others.
    rows, columns : (N,) int64 array
    """
    starts = numpy.zeros(U + 2, numpy.int64)
    for b in range(len(values)):
        for i in range(filled[b]):
            starts[values[b, i] + 2] += 1
    for u in range(2, U + 2):
        starts[u] += starts[u - 1]
    rows = numpy.empty(starts[-1], numpy.int64)
    columns = numpy.empty_like(rows)
    for b in range(len(values)):
        for i in range(filled[b]):
            place = starts[values[b, i] + 1]
            rows[place], columns[place] = b, i
            starts[values[b, i] + 1] += 1
    return starts[:-1], rows, columns
