"""Sums over the words of sentences, without a temporary a word; the nil word counts nothing."""

from numba import njit

from kvnet.kernels.slots import OPTIONS


@njit(**OPTIONS)
def add_words(words, table, encoding, readings):
    """Add ``readings_n += sum_s encoding_s * table[words[n, s]]`` in place."""
    N, S = words.shape
    for n in range(N):
        for s in range(S):
            word = words[n, s]
            if word != 0:
                for e in range(table.shape[1]):
                    readings[n, e] += encoding[s, e] * table[word, e]


@njit(**OPTIONS)
def scatter_words(words, d_readings, encoding, d_table):
    """Add ``d_table[words[n, s]] += encoding_s * d_readings_n`` in place."""
    N, S = words.shape
    for n in range(N):
        for s in range(S):
            word = words[n, s]
            if word != 0:
                for e in range(d_table.shape[1]):
                    d_table[word, e] += encoding[s, e] * d_readings[n, e]
