"""Uniform numbers from Philox in one pass."""

from math import prod

import numpy
from numba import njit

from kvnet.kernels.parts.compile_options import OPTIONS
from kvnet.kernels.parts.philox import random_words, stream_of, unit_interval

BLOCKS_AT_A_TIME = 1024


@njit(**OPTIONS)
def _fill(u, stream):
    words = numpy.empty((4, BLOCKS_AT_A_TIME), numpy.uint32)
    for first in range(0, len(u), BLOCKS_AT_A_TIME):
        random_words(words, first, stream)
        for n in range(min(BLOCKS_AT_A_TIME, len(u) - first)):
            for place in range(4):
                u[first + n, place] = unit_interval(words[place, n], u[0, 0])


def uniform(xp, seed, purpose, step, shape, dtype):
    """Do what `kvnet.operations.uniform` does: the same bits, a block of four at a time.

    Parameters and returns: see `kvnet.operations.uniform`.
    """
    count = prod(shape)
    u = numpy.empty(((count + 3) // 4, 4), dtype)
    _fill(u, stream_of(seed, purpose, step))
    return u.reshape(-1)[:count].reshape(shape)
