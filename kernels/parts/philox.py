"""Philox4x32-10, the counter-based generator of `kvnet.counter_random`, a block at a time."""

import zlib

import numpy
from numba import njit, uint32, uint64

from kvnet.counter_random import KEY_STEPS, MULTIPLIERS, ROUNDS, WORD
from kvnet.kernels.parts.compilation import OPTIONS


def counter_and_key(seed: int, purpose: str, step: int) -> tuple:
    """Return what `random_words` takes besides the first block and the place for the words."""
    constants = (zlib.crc32(purpose.encode()), step & WORD, step >> 32, seed & WORD, seed >> 32)
    return tuple(map(numpy.uint64, constants))


@njit(**OPTIONS)
def random_words(words, first, purpose, step_low, step_high, key_low, key_high):
    """Fill ``words[:, n]`` with the four random words of block ``first + n``."""
    for n in range(words.shape[1]):
        # 32-bit numbers in 64 bits: the masks tell the compiler so, which then multiplies in one
        # instruction, for several blocks at a time.
        c0, c1, c2, c3 = uint64(first + n) & uint64(WORD), purpose, step_low, step_high
        k0, k1 = key_low, key_high
        for _ in range(ROUNDS):
            a = (c0 & uint64(WORD)) * uint64(MULTIPLIERS[0])
            b = (c2 & uint64(WORD)) * uint64(MULTIPLIERS[1])
            c0, c1, c2, c3 = (
                (b >> uint64(32)) ^ c1 ^ k0,
                b & uint64(WORD),
                (a >> uint64(32)) ^ c3 ^ k1,
                a & uint64(WORD),
            )
            k0 = (k0 + uint64(KEY_STEPS[0])) & uint64(WORD)
            k1 = (k1 + uint64(KEY_STEPS[1])) & uint64(WORD)
        words[0, n], words[1, n] = uint32(c0), uint32(c1)
        words[2, n], words[3, n] = uint32(c2), uint32(c3)


@njit(**OPTIONS)
def unit_interval(word, like):
    """Make a number between 0 and 1 of a word, of the dtype of `like`; see `counter_random`."""
    dtype = type(like)
    return (dtype(numpy.int32(word >> uint32(9))) + dtype(0.5)) * dtype(2.0**-23)
