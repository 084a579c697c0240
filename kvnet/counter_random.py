"""Counter-based random numbers: each is a function of its place, not of earlier draws.

Every number is ``Philox4x32-10(counter, key)`` (Salmon et al. 2011, "Parallel random numbers: as
easy as 1, 2, 3"). The key is the seed; the counter is (block of four, purpose, step). A kernel, a
GPU, a thread or a resumed run can therefore draw any number independently and get the same value.
"""

import zlib

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
WORD = 0xFFFFFFFF


def philox(counter, key):
    """Encrypt counters: ten Philox rounds of multiply, swap and exclusive or.

    Parameters
    ----------
    counter : sequence of 4 uint64 arrays
        32-bit words, stored in 64 bits so that a product keeps its high half.
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
        Use of the numbers, such as ``"gradient noise"``; its CRC-32 is one counter word.
    step : int or (n, 1) uint64 array
        0 to 2**64 - 1, such as the training step. An array draws one row of words per step.
    count : int

    Returns
    -------
    words : (count,) or (n, count) uint64 array
        Each below 2**32.
    """
    block = xp.arange((count + 3) // 4, dtype=xp.uint64)  # four words per block
    purpose_number = zlib.crc32(purpose.encode())
    counter = (block, *(0 * block + c for c in (purpose_number, step & WORD, step >> 32)))
    words = xp.stack(philox(counter, (seed & WORD, seed >> 32)), axis=-1)
    return words.reshape(*words.shape[:-2], -1)[..., :count]


def permutation(xp, seed: int, purpose: str, step: int, count: int):
    """Draw a permutation of 0..count-1: the stable sort order of `count` random words.

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
