"""Uniform numbers from Philox in one pass."""

import zlib
from math import prod

import numpy
from numba import njit, uint64

from kvnet.counter_random import KEY_STEPS, MULTIPLIERS, ROUNDS, WORD
from kvnet.kernels.slots import OPTIONS


@njit(**OPTIONS)
def _fill(u, purpose, step_low, step_high, key_low, key_high):
    half, unit = u.dtype.type(0.5), u.dtype.type(2.0**-23)
    for block in range(u.shape[0]):
        c0, c1, c2, c3 = uint64(block), purpose, step_low, step_high
        k0, k1 = key_low, key_high
        for _ in range(ROUNDS):
            a = c0 * uint64(MULTIPLIERS[0])
            b = c2 * uint64(MULTIPLIERS[1])
            c0, c1, c2, c3 = (
                (b >> uint64(32)) ^ c1 ^ k0,
                b & uint64(WORD),
                (a >> uint64(32)) ^ c3 ^ k1,
                a & uint64(WORD),
            )
            k0 = (k0 + uint64(KEY_STEPS[0])) & uint64(WORD)
            k1 = (k1 + uint64(KEY_STEPS[1])) & uint64(WORD)
        u[block, 0] = (u.dtype.type(c0 >> uint64(9)) + half) * unit
        u[block, 1] = (u.dtype.type(c1 >> uint64(9)) + half) * unit
        u[block, 2] = (u.dtype.type(c2 >> uint64(9)) + half) * unit
        u[block, 3] = (u.dtype.type(c3 >> uint64(9)) + half) * unit


def uniform(xp, seed, purpose, step, shape, dtype):
    """Do what `kvnet.counter_random.uniform` does: the same bits, a block of four at a time.

    Parameters and returns: see `kvnet.counter_random.uniform`.
    """
    count = prod(shape)
    u = numpy.empty(((count + 3) // 4, 4), dtype)
    constants = (zlib.crc32(purpose.encode()), step & WORD, step >> 32, seed & WORD, seed >> 32)
    _fill(u, *map(numpy.uint64, constants))
    return u.reshape(-1)[:count].reshape(shape)
