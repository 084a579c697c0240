"""Uniform random numbers from Philox in one pass."""

from math import prod

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import OPTIONS
from kvnet.kernels.parts.philox import random_words, stream_of, unit_interval

ROWS_AT_A_TIME = 1024


@njit(**OPTIONS)
def _fill(u, stream):
    words = numpy.empty((4, ROWS_AT_A_TIME), numpy.uint32)
    for first in range(0, len(u), ROWS_AT_A_TIME):
        random_words(words, first, stream)
        for n in range(min(ROWS_AT_A_TIME, len(u) - first)):
            for column in range(4):
                u[first + n, column] = unit_interval(words[column, n], u[0, 0])


def uniform(xp, seed, purpose, step, shape, dtype):
    """Fused form of `kvnet.operations.uniform`, with the same bits.

    Parameters and returns: see there.
    """
    count = prod(shape)
    u = numpy.empty(((count + 3) // 4, 4), dtype)
    _fill(u, stream_of(seed, purpose, step))
    return u.reshape(-1)[:count].reshape(shape)
