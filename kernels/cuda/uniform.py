"""Uniform numbers from Philox, a block of four a thread."""

import zlib
from math import prod

import numpy

from kvnet.counter_random import WORD
from kvnet.kernels.cuda.parts.compilation import blocks, launch


def purpose_number(purpose: str) -> numpy.uint32:
    """Return a purpose as the kernels' Philox takes it."""
    return numpy.uint32(zlib.crc32(purpose.encode()))


def uniform(xp, seed, purpose, step, shape, dtype):
    """Do what `kvnet.counter_random.uniform` does: the same bits.

    Parameters and returns: see there; the step may also be a scalar int64 array.
    """
    u = xp.empty(shape, dtype)
    if not isinstance(step, xp.ndarray):
        step = xp.full((), step, "int64")
    key = numpy.uint32(seed & WORD), numpy.uint32(seed >> 32)
    arguments = u, prod(shape), purpose_number(purpose), *key, step
    launch(xp, dtype, "fill_uniform", blocks(prod(shape), 4 * 256), arguments)
    return u
