"""The softmax, over slots or words."""


def softmax(xp, scores, allowed=None):
    """Convert scores to probabilities: ``p_i = exp(s_i) / sum_j exp(s_j)`` along the last axis.

    Parameters
    ----------
    xp : module
        Array module.
    scores : (..., M) float array
    allowed : (..., M) bool array, optional
        Where False, ``p_i = 0`` and the sum skips i. A row without an allowed entry is all zero.

    Returns
    -------
    p : (..., M) float array
    backward : callable
        ``dp (..., M) -> d_scores (..., M)``
    """
    if allowed is not None:
        scores = xp.where(allowed, scores, -1e30)  # exp of it is zero
    # Subtracting the largest score does not change p and keeps exp from overflow. The largest is
    # found by real parts, so that the code also runs on complex numbers.
    weights = xp.exp(scores - scores.real.max(axis=-1, keepdims=True))
    p = weights / weights.sum(axis=-1, keepdims=True)
    if allowed is not None:
        p = p * allowed  # a row without an allowed entry is uniform up to here

    def backward(dp):
        return p * (dp - (p * dp).sum(axis=-1, keepdims=True))

    return p, backward
