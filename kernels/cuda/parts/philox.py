"""The arguments of Philox in CUDA kernels."""

import zlib

import numpy

from kvnet.counter_random import WORD


def purpose_number(purpose: str) -> numpy.uint32:
    """Return the counter word of a purpose; see `kvnet.counter_random.random_words`."""
    return numpy.uint32(zlib.crc32(purpose.encode()))


def philox_key(seed: int) -> dict[str, numpy.uint32]:
    """Return the two words of the key."""
    return {"key_low": numpy.uint32(seed & WORD), "key_high": numpy.uint32(seed >> 32)}
