"""Sums over the words of sentences, without an array per word; the nil word adds nothing."""

from numba import njit, prange

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_options import OPTIONS, PARALLEL

SENTENCES_PER_BLOCK = 200


@njit(**OPTIONS)
def _add_product(y, x, factors):
    for e in range(len(y)):
        y[e] += factors[e] * x[e]


@njit(**OPTIONS)
def add_words(words, table, encoding, readings):
    """Add ``readings_n += sum_s encoding_s * table[words[n, s]]`` in place."""
    for n in range(len(words)):
        for s in range(words.shape[1]):
            if words[n, s] != 0:
                _add_product(readings[n], table[words[n, s]], encoding[s])


@njit(**PARALLEL)
def add_words_in_blocks(words, table, encoding, readings):
    """Do the same on several threads, for more than a block of sentences."""
    bounds = cut(len(words), SENTENCES_PER_BLOCK)
    for k in prange(len(bounds) - 1):
        block = slice(bounds[k], bounds[k + 1])
        add_words(words[block], table, encoding, readings[block])


@njit(**OPTIONS)
def scatter_words(words, d_readings, encoding, d_table):
    """Add ``d_table[words[n, s]] += encoding_s * d_readings_n`` in place."""
    for n in range(len(words)):
        for s in range(words.shape[1]):
            if words[n, s] != 0:
                _add_product(d_table[words[n, s]], d_readings[n], encoding[s])
