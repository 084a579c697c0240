"""The bow reader over real words only."""

import numpy
from numba import njit

from kvnet.kernels.slots import OPTIONS


@njit(**OPTIONS)
def _sum_words(words, table, encoding, readings):
    N, S = words.shape
    for n in range(N):
        for s in range(S):
            word = words[n, s]
            if word != 0:
                for e in range(table.shape[1]):
                    readings[n, e] += encoding[s, e] * table[word, e]


@njit(**OPTIONS)
def _scatter_words(words, d_readings, encoding, d_table):
    N, S = words.shape
    for n in range(N):
        for s in range(S):
            word = words[n, s]
            if word != 0:
                for e in range(d_table.shape[1]):
                    d_table[word, e] += encoding[s, e] * d_readings[n, e]


def embedding_sum(xp, words, table, encoding):
    """Do what `kvnet.operations.embedding_sum` does, in one pass and without a temporary a word.

    Parameters, returns and source: see `kvnet.operations.embedding_sum`.
    """
    readings = numpy.zeros((len(words), table.shape[1]), table.dtype)
    _sum_words(words, table, encoding, readings)

    def backward(d_readings):
        d_table = numpy.zeros_like(table)
        _scatter_words(words, d_readings, encoding, d_table)
        return d_table

    return readings, backward
