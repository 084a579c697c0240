"""Random numbers as a function of where they are used, not of what was drawn before.

Every number is ``Philox4x32-10(counter, key)`` (Salmon et al. 2011, "Parallel random numbers: as
easy as 1, 2, 3"). The key is the seed; the counter is (block of four, purpose, step). So a kernel,
a GPU, a thread or a resumed run can draw any number on its own, and they all draw the same.
"""

import zlib
from math import pi, prod

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
WORD = 0xFFFFFFFF


def philox(counter, key):
    """Encrypt counters: ten Philox rounds of multiply, swap and exclusive or.

    Parameters
    ----------
    counter : sequence of 4 uint64 arrays
        32-bit words, held in 64 bits so that a product keeps its high half.
    key : sequence of 2 int
        32-bit words.

    Returns
    -------
    words : tuple of 4 uint64 arrays
        32 random bits each.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        a = c0 * MULTIPLIERS[0]
        b = c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & WORD, (a >> 32) ^ c3 ^ k1, a & WORD
        k0, k1 = (k0 + KEY_STEPS[0]) & WORD, (k1 + KEY_STEPS[1]) & WORD
    return c0, c1, c2, c3


def random_words(xp, seed: int, purpose: str, step: int, count: int):
    """Draw 32-bit words.

    Parameters
    ----------
    xp : module
        Array module.
    seed : int
        0 to 2**64 - 1: the Philox key.
    purpose : str
        What the numbers are for, such as ``"gradient noise"``; its CRC-32 is one counter word.
    step : int or (n, 1) uint64 array
        0 to 2**64 - 1, such as the training step; several of them for several rows of words.
    count : int

    Returns
    -------
    words : (count,) or (n, count) uint64 array
        Each below 2**32.
    """
    block = xp.arange((count + 3) // 4, dtype=xp.uint64)  # four words a block
    purpose_number = zlib.crc32(purpose.encode())
    counter = (block, *(0 * block + c for c in (purpose_number, step & WORD, step >> 32)))
    words = xp.stack(philox(counter, (seed & WORD, seed >> 32)), axis=-1)
    return words.reshape(*words.shape[:-2], -1)[..., :count]


def uniform(xp, seed: int, purpose: str, step: int, shape, dtype):
    """Draw uniform numbers between 0 and 1, never either.

    The top 23 bits of a word and a half: exact in float32 and float64, so the two agree.

    Parameters
    ----------
    xp, seed, purpose, step
        As for `random_words`.
    shape : tuple of int
    dtype : numpy dtype

    Returns
    -------
    u : array of `shape`
    """
    words = random_words(xp, seed, purpose, step, prod(shape))
    return (((words >> 9) + 0.5) * 2.0**-23).astype(dtype).reshape(shape)


def normal(xp, seed: int, purpose: str, step: int, shape, dtype, draw=uniform):
    """Draw standard normal numbers: Box-Muller on pairs of `uniform`.

    Parameters
    ----------
    xp, seed, purpose, step, shape, dtype
        As for `uniform`.
    draw : callable
        `uniform`, or a kernel that does the same.

    Returns
    -------
    z : array of `shape`
    """
    count = prod(shape)
    pairs = draw(xp, seed, purpose, step, ((count + 1) // 2, 2), dtype)
    radius = xp.sqrt(-2 * xp.log(pairs[:, 0]))
    angle = 2 * pi * pairs[:, 1]
    z = xp.empty_like(pairs)
    z[:, 0], z[:, 1] = radius * xp.cos(angle), radius * xp.sin(angle)
    return z.reshape(-1)[:count].reshape(shape)


def permutation(xp, seed: int, purpose: str, step: int, count: int):
    """Draw an order of 0..count-1: the stable sort order of `count` random words.

    Parameters
    ----------
    xp, seed, purpose, step
        As for `random_words`.
    count : int

    Returns
    -------
    order : (count,) int64 array
    """
    return xp.argsort(random_words(xp, seed, purpose, step, count), kind="stable")
