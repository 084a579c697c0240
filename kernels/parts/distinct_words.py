"""Products of a target's vector with the words of its context, each different word taken once.

A context names the same words again and again. `held` has a target's different words in a row, as
rows of the readings, filled up with its first one to `four_fold` places: products then take four
words at a time, so that each number of the vector is loaded once for all four. `counts` says how
many words are different, and `places` which of them a slot holds.
"""

import numpy
from numba import njit

from kvnet.kernels.parts.compile_options import OPTIONS


@njit(**OPTIONS)
def four_fold(n):
    """Round up to a multiple of four."""
    return (n + 3) // 4 * 4


@njit(**OPTIONS)
def find_distinct(slots, U, held, places, counts):
    """Find each target's different words, in the order in which they come.

    Parameters
    ----------
    slots : (B, M) int32 array
        Rows of the readings, below U.
    held : (B, four_fold(M)) int32 array
        Filled in, as `places (B, M)` and `counts (B,)` are.
    """
    target, place = numpy.full(U, -1, numpy.int32), numpy.empty(U, numpy.int32)
    for b in range(len(slots)):
        count = 0
        for i in range(slots.shape[1]):
            row = slots[b, i]
            if target[row] != b:
                target[row], place[row] = b, count
                held[b, count] = row
                count += 1
            places[b, i] = place[row]
        counts[b] = count
        for j in range(count, held.shape[1]):
            held[b, j] = held[b, 0]


@njit(**OPTIONS)
def add_word_dots(held, places, count, readings, x, dots, scores):
    """Add ``scores_i += x · readings[held[places_i]]`` in place; `dots` is there to be written."""
    for j in range(0, count, 4):
        r, s = readings[held[j]], readings[held[j + 1]]
        t, w = readings[held[j + 2]], readings[held[j + 3]]
        dot_r = dot_s = dot_t = dot_w = readings.dtype.type(0)
        for e in range(len(x)):
            dot_r += r[e] * x[e]
            dot_s += s[e] * x[e]
            dot_t += t[e] * x[e]
            dot_w += w[e] * x[e]
        dots[j], dots[j + 1], dots[j + 2], dots[j + 3] = dot_r, dot_s, dot_t, dot_w
    for i in range(len(places)):
        scores[i] += dots[places[i]]


@njit(**OPTIONS)
def add_word_sums(held, places, count, readings, p, weights, o):
    """Add ``o += sum_i p_i readings[held[places_i]]`` in place.

    `weights` is filled with each different word's share of p, and zeros.
    """
    for j in range(len(weights)):
        weights[j] = 0
    for i in range(len(places)):
        weights[places[i]] += p[i]
    for j in range(0, count, 4):
        r, s = readings[held[j]], readings[held[j + 1]]
        t, w = readings[held[j + 2]], readings[held[j + 3]]
        p_r, p_s, p_t, p_w = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
        for e in range(len(o)):
            o[e] += (p_r * r[e] + p_s * s[e]) + (p_t * t[e] + p_w * w[e])


@njit(**OPTIONS)
def scatter_hops(held, count, weights, vectors, d_readings, lo):
    """Add ``d_readings[held_j] += sum_h weights_h,j vectors_h`` in place, from column `lo` on.

    Parameters
    ----------
    weights : (four_fold(H), four_fold(M)) float array
    vectors : (four_fold(H), E or less) float array
        What fills up either has weights of zero.
    """
    for h in range(0, len(weights), 4):
        x, y, z, w = vectors[h], vectors[h + 1], vectors[h + 2], vectors[h + 3]
        for j in range(count):
            to = d_readings[held[j]][lo : lo + len(x)]
            p, q, r, s = weights[h, j], weights[h + 1, j], weights[h + 2, j], weights[h + 3, j]
            for e in range(len(x)):
                to[e] += (p * x[e] + q * y[e]) + (r * z[e] + s * w[e])
