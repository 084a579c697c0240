"""The probability that at least one of several reasons holds."""

from kvnet.operations.scatter_rows import scatter_rows

BELIEF = 1 - 1e-4
"""The probability that a fact which was read is true; less than 1, so that no logarithm of a doubt
is infinite."""


def noisy_or(xp, p, groups, size: int):
    """Combine the probabilities of each group: ``e_k = 1 - Π_i (1 - c p_i)`` over i in group k.

    Several reasons for one conclusion do not add up to more than 1, and one that is certain makes
    the others irrelevant.

    Parameters
    ----------
    xp : module
        Array module.
    p : (n,) float array
        From 0 to 1; c is `BELIEF`.
    groups : (n,) integer array
        k of each p.
    size : int
        K, the number of groups.

    Returns
    -------
    e : (K,) float array
    backward : callable
        ``de (K,) -> dp (n,)``

    References
    ----------
    Pearl 1988, "Probabilistic Reasoning in Intelligent Systems", section 4.3.2.
    """
    log_doubts = xp.log1p(-BELIEF * p)
    total = scatter_rows(xp, groups, log_doubts[:, None], size)[:, 0]
    e = -xp.expm1(total)

    def backward(de):
        return BELIEF * (de * xp.exp(total))[groups] / (1 - BELIEF * p)

    return e, backward
