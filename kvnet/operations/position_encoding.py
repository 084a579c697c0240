"""Position encodings: the weight of the word at position j in each component of a sentence."""


def position_encoding(xp, sentence_size: int, embedding_size: int, dtype):
    """Return the position encoding of the Key-Value Memory Network.

    ``enc[j, e] = 1 + 4 (e - E/2) (j - S/2) / (E S)`` with ``e = 1..E``, ``j = 1..S``.

    Parameters
    ----------
    xp : module
        Array module.
    sentence_size : int
        S, words per sentence.
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


def centred_position_encoding(xp, sentence_size: int, embedding_size: int, dtype):
    """Return the position encoding of the End-To-End Memory Network's Matlab code.

    ``l[j, k] = 1 + 4 (k - (d + 1)/2) (j - (J + 1)/2) / (d J)`` with ``k = 1..d``, ``j = 1..J``.

    Parameters
    ----------
    xp : module
        Array module.
    sentence_size : int
        J, words per sentence, including the time word.
    embedding_size : int
        d.
    dtype : numpy dtype

    Returns
    -------
    encoding : (J, d) float array

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), section 4.1, in the form of its Matlab code.
    """
    J, d = sentence_size, embedding_size
    j = xp.arange(1, J + 1, dtype=dtype)[:, None]  # (J, 1)
    k = xp.arange(1, d + 1, dtype=dtype)  # (d,)
    return 1 + 4 * (k - (d + 1) / 2) * (j - (J + 1) / 2) / (d * J)


def own_length_encoding(xp, sentence_size: int, embedding_size: int, dtype):
    """Return the position encoding of the End-To-End Memory Network's paper.

    ``l[j, k] = (1 - j/J) - (k/d) (1 - 2j/J)``, where J is the number of words of the sentence. This
    equals ``(1 - k/d) + (1/J) (2k/d - 1) j``, in which J is a factor of one term only.

    Parameters
    ----------
    xp : module
        Array module.
    sentence_size : int
        S, words of the longest sentence.
    embedding_size : int
        d.
    dtype : numpy dtype

    Returns
    -------
    fixed, by_length : (S, d) float array
        The encoding of a sentence of J words is ``fixed + by_length / J``.

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), section 4.1.
    """
    j = xp.arange(1, sentence_size + 1, dtype=dtype)[:, None]  # (S, 1)
    k = xp.arange(1, embedding_size + 1, dtype=dtype) / embedding_size  # (d,)
    return (1 - k) * xp.ones_like(j), (2 * k - 1) * j
