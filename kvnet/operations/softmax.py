"""The softmax, over slots or words."""


def softmax(xp, scores, allowed=None):
    """Turn scores into probabilities: ``p_i = exp(s_i) / sum_j exp(s_j)`` along the last axis.

    Parameters
    ----------
    xp : module
        Array module.
    scores : (..., M) float array
    allowed : (..., M) bool array, optional
        Where False, ``p_i = 0`` and the sum leaves i out. A row with nothing allowed is all zero.

    Returns
    -------
    p : (..., M) float array
    backward : callable
        ``dp (..., M) -> d_scores (..., M)``
    """
    if allowed is not None:
        scores = xp.where(allowed, scores, -1e30)  # exp of it is zero
    # Shifting by the largest score changes nothing and keeps exp from overflow. Real parts decide
    # which is largest, so that the same code takes complex numbers.
    weights = xp.exp(scores - scores.real.max(axis=-1, keepdims=True))
    p = weights / weights.sum(axis=-1, keepdims=True)
    if allowed is not None:
        p = p * allowed  # a row with nothing allowed has come out uniform

    def backward(dp):
        return p * (dp - (p * dp).sum(axis=-1, keepdims=True))

    return p, backward
