"""Position encoding: how much a word at place j counts in each component of a sentence."""


def position_encoding(xp, sentence_size: int, embedding_size: int, dtype):
    """Weigh word places by embedding component.

    ``enc[j, e] = 1 + 4 (e - E/2) (j - S/2) / (E S)`` with ``e = 1..E``, ``j = 1..S``.

    Parameters
    ----------
    xp : module
        Array module.
    sentence_size : int
        S, words a sentence.
    embedding_size : int
        E.
    dtype : numpy dtype

    Returns
    -------
    encoding : (S, E) float array

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 4, in the form of its reference code.
    """
    S, E = sentence_size, embedding_size
    j = xp.arange(1, S + 1, dtype=dtype)[:, None]  # (S, 1)
    e = xp.arange(1, E + 1, dtype=dtype)  # (E,)
    return 1 + 4 * (e - E / 2) * (j - S / 2) / (E * S)
