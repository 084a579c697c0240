"""Random numbers that are independent of every stream that a user of NumPy can draw."""

import numpy

from kvnet.errors import InputError

# `default_rng(k)` is another bit generator with other entropy, so no seed k gives these numbers.
ENTROPY = tuple(b"kvnet.gradcheck")
SMALLEST, LARGEST = 0.5, 1.5  # size of a random factor before it is scaled to unit variance
DEVIATION = ((LARGEST**3 - SMALLEST**3) / 3) ** 0.5


def generator(seed: int) -> numpy.random.Generator:
    """Return a generator for the weights and directions of a check.

    Parameters
    ----------
    seed : int
        At least 0.

    Returns
    -------
    rng : numpy.random.Generator
        Independent of ``numpy.random.default_rng(k)`` for all k.

    Raises
    ------
    InputError
        If the seed is not an integer, or negative.
    """
    if not isinstance(seed, int | numpy.integer) or seed < 0:
        raise InputError(f"seed={seed!r} is not valid; pass an integer that is at least 0")
    sequence = numpy.random.SeedSequence([*ENTROPY, int(seed)])
    return numpy.random.Generator(numpy.random.SFC64(sequence))


def random_factors(rng: numpy.random.Generator, shape) -> numpy.ndarray:
    """Draw factors of mean 0 and variance 1, none of which is close to 0.

    Normally distributed weights are sometimes nearly 0, and then hide what they multiply.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int

    Returns
    -------
    factors : float64 array
        Sizes between 0.48 and 1.44, with random signs.
    """
    sizes = rng.uniform(SMALLEST, LARGEST, shape)
    return numpy.where(rng.random(shape) < 0.5, -sizes, sizes) / DEVIATION
