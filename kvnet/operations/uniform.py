"""Uniform random numbers."""

from math import prod

from kvnet.counter_random import random_words


def uniform(xp, seed: int, purpose: str, step: int, shape, dtype):
    """Draw uniform numbers between 0 and 1, both excluded: ``u = (w + 1/2) / 2^23``.

    w is the top 23 bits of a random word, so u is exact in float32 and float64 and both agree.

    Parameters
    ----------
    xp, seed, purpose, step
        As for `kvnet.counter_random.random_words`.
    shape : tuple of int
    dtype : numpy dtype

    Returns
    -------
    u : array of `shape`
    """
    words = random_words(xp, seed, purpose, step, prod(shape))
    return (((words >> 9) + 0.5) * 2.0**-23).astype(dtype).reshape(shape)
