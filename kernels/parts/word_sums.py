"""Sums over the words of sentences, without an array per word; the nil word adds nothing."""

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, OPTIONS
from kvnet.kernels.parts.threads import next_block

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


@njit(**NOT_INLINED)
def add_words_in_blocks(counters, words, table, encoding, readings):
    """Do the same for a thread's share of the blocks."""
    k, bounds = next_block(counters, 0), cut(len(words), SENTENCES_PER_BLOCK)
    while k < len(bounds) - 1:
        block = slice(bounds[k], bounds[k + 1])
        add_words(words[block], table, encoding, readings[block])
        k = next_block(counters, 0)


@njit(**OPTIONS)
def scatter_words(words, d_readings, encoding, d_table):
    """Add ``d_table[words[n, s]] += encoding_s * d_readings_n`` in place."""
    for n in range(len(words)):
        for s in range(words.shape[1]):
            if words[n, s] != 0:
                _add_product(d_table[words[n, s]], d_readings[n], encoding[s])
