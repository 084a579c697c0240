"""Products of a question's vector with the readings in its slots, without gathering them.

A slot holds a row of the readings. Row 0, the empty slot's, is multiplied once a question.
"""

from numba import njit

# The NumPy error model divides without a branch for zero, which would keep loops from vectorising.
OPTIONS = {"cache": True, "error_model": "numpy", "fastmath": True, "nogil": True}


@njit(**OPTIONS)
def add_dots(rows, readings, w, scores):
    """Add ``scores[b, i] += w_b · readings[rows[b, i]]`` in place."""
    B, M = rows.shape
    D = readings.shape[1]
    for b in range(B):
        empty = readings[0, 0] * w[b, 0]
        for d in range(1, D):
            empty += readings[0, d] * w[b, d]
        for i in range(M):
            row = rows[b, i]
            if row == 0:
                scores[b, i] += empty
            else:
                dot = readings[row, 0] * w[b, 0]
                for d in range(1, D):
                    dot += readings[row, d] * w[b, d]
                scores[b, i] += dot


@njit(**OPTIONS)
def add_sums(rows, readings, p, o):
    """Add ``o_b += sum_i p[b, i] readings[rows[b, i]]`` in place."""
    B, M = rows.shape
    D = readings.shape[1]
    for b in range(B):
        empty = p[b, 0] * 0
        for i in range(M):
            row = rows[b, i]
            if row == 0:
                empty += p[b, i]
            else:
                for d in range(D):
                    o[b, d] += p[b, i] * readings[row, d]
        for d in range(D):
            o[b, d] += empty * readings[0, d]


@njit(**OPTIONS)
def add_outer(rows, p, w, d_readings):
    """Add ``d_readings[rows[b, i]] += p[b, i] w_b`` in place."""
    B, M = rows.shape
    D = d_readings.shape[1]
    for b in range(B):
        empty = p[b, 0] * 0
        for i in range(M):
            row = rows[b, i]
            if row == 0:
                empty += p[b, i]
            else:
                for d in range(D):
                    d_readings[row, d] += p[b, i] * w[b, d]
        for d in range(D):
            d_readings[0, d] += empty * w[b, d]
