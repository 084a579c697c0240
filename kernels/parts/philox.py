"""Philox4x32-10, the counter-based generator of `kvnet.counter_random`, a block at a time."""

import zlib
from typing import NamedTuple

import numpy
from numba import uint32, uint64

from kvnet.counter_random import KEY_STEPS, MULTIPLIERS, ROUNDS, WORD
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import OPTIONS


class Stream(NamedTuple):
    """The rest of the counter, and the key, for all words of a purpose and step; 32 bits each."""

    purpose: numpy.uint64
    step_low: numpy.uint64
    step_high: numpy.uint64
    key_low: numpy.uint64
    key_high: numpy.uint64


def stream_of(seed: int, purpose: str, step: int) -> Stream:
    """Return the stream of `kvnet.counter_random.random_words` with these arguments."""
    constants = (zlib.crc32(purpose.encode()), step & WORD, step >> 32, seed & WORD, seed >> 32)
    return Stream(*map(numpy.uint64, constants))


@njit(**OPTIONS)
def steps_later(stream, steps):
    """Return the same stream a number of steps later."""
    step = (stream.step_low | stream.step_high << uint64(32)) + uint64(steps)
    low, high = step & uint64(WORD), step >> uint64(32)
    return Stream(stream.purpose, low, high, stream.key_low, stream.key_high)


@njit(**OPTIONS)
def random_words(words, first, stream):
    """Fill ``words[:, n]`` with the four random words of block ``first + n``."""
    for n in range(words.shape[1]):
        # 32-bit words in 64 bits: the masks let the compiler multiply in one instruction, for
        # several blocks at a time.
        c0, c1 = uint64(first + n) & uint64(WORD), stream.purpose
        c2, c3, k0, k1 = stream.step_low, stream.step_high, stream.key_low, stream.key_high
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
    """Return `kvnet.operations.uniform`'s number for a word, of the dtype of `like`."""
    dtype = type(like)
    return (dtype(numpy.int32(word >> uint32(9))) + dtype(0.5)) * dtype(2.0**-23)
