"""Uniform numbers from Philox, a block of four a thread."""

import zlib
from math import prod

import numpy

from kvnet.counter_random import WORD
from kvnet.kernels.cuda.compilation import blocks, launch, on_device


def purpose_and_key(seed: int, purpose: str) -> tuple:
    """Return what the kernels' Philox takes besides the step."""
    words = zlib.crc32(purpose.encode()), seed & WORD, seed >> 32
    return tuple(map(numpy.uint32, words))


def uniform(xp, seed, purpose, step, shape, dtype):
    """Do what `kvnet.counter_random.uniform` does: the same bits.

    Parameters and returns: see there; the step may also be a scalar int64 array.
    """
    u = xp.empty(shape, dtype)
    step = on_device(xp, step, "int64")
    arguments = u, prod(shape), *purpose_and_key(seed, purpose), step
    launch(xp, dtype, "fill_uniform", blocks(prod(shape), 4 * 256), arguments)
    return u
