"""Products of a target's query with the words of its context, each different word taken once."""

from typing import NamedTuple

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import OPTIONS


class DistinctWords(NamedTuple):
    """The different words of each target's context.

    Attributes
    ----------
    rows : (B, four_fold(M)) int32 array
        The words, as rows of the readings, padded with the first one to a multiple of four.
        Products take four words at a time, so that each component of the query is loaded once for
        all four.
    places : (B, M) int32 array
        The column of `rows` with the word that a slot holds.
    counts : (B,) int32 array
        The number of different words.
    """

    rows: numpy.ndarray
    places: numpy.ndarray
    counts: numpy.ndarray


@njit(**OPTIONS)
def four_fold(n):
    """Round up to a multiple of four."""
    return (n + 3) // 4 * 4


@njit(**OPTIONS)
def find_distinct(slots, U, rows, places, counts):
    """Find each target's different words, in the order of their first slots.

    Parameters
    ----------
    slots : (B, M) int32 array
        Rows of the readings.
    U : int
        Number of readings.
    rows, places, counts
        The fields of `DistinctWords`, filled.
    """
    target, place = numpy.full(U, -1, numpy.int32), numpy.empty(U, numpy.int32)
    for b in range(len(slots)):
        count = 0
        for i in range(slots.shape[1]):
            row = slots[b, i]
            if target[row] != b:
                target[row], place[row] = b, count
                rows[b, count] = row
                count += 1
            places[b, i] = place[row]
        counts[b] = count
        for j in range(count, rows.shape[1]):
            rows[b, j] = rows[b, 0]


@njit(**OPTIONS)
def add_word_dots(rows, places, count, readings, x, dots, scores):
    """Add ``scores_i += x · readings[rows[places_i]]`` for a target, in place; fill `dots`."""
    for j in range(0, count, 4):
        r, s = readings[rows[j]], readings[rows[j + 1]]
        t, w = readings[rows[j + 2]], readings[rows[j + 3]]
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
def add_word_sums(rows, places, count, readings, p, weights, o):
    """Add ``o += sum_i p_i readings[rows[places_i]]`` for a target, in place.

    `weights` is filled with p summed by different word, and zeros.
    """
    for j in range(len(weights)):
        weights[j] = 0
    for i in range(len(places)):
        weights[places[i]] += p[i]
    for j in range(0, count, 4):
        r, s = readings[rows[j]], readings[rows[j + 1]]
        t, w = readings[rows[j + 2]], readings[rows[j + 3]]
        p_r, p_s, p_t, p_w = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
        for e in range(len(o)):
            o[e] += (p_r * r[e] + p_s * s[e]) + (p_t * t[e] + p_w * w[e])


@njit(**OPTIONS)
def scatter_hops(rows, count, weights, vectors, d_readings, lo):
    """Add ``d_readings[rows_j] += sum_h weights_h,j vectors_h`` for a target, from column `lo` on.

    Parameters
    ----------
    weights : (four_fold(H), four_fold(M)) float array
    vectors : (four_fold(H), E or less) float array
        The rows that pad either of them have weights of zero.
    """
    for h in range(0, len(weights), 4):
        x, y, z, w = vectors[h], vectors[h + 1], vectors[h + 2], vectors[h + 3]
        for j in range(count):
            to = d_readings[rows[j]][lo : lo + len(x)]
            p, q, r, s = weights[h, j], weights[h + 1, j], weights[h + 2, j], weights[h + 3, j]
            for e in range(len(x)):
                to[e] += (p * x[e] + q * y[e]) + (r * z[e] + s * w[e])
