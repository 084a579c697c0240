"""Key addressing and value reading: one read of the memory."""

from kvnet.operations.softmax import softmax


def address(xp, u, keys, values, allowed=None, with_softmax: bool = True):
    """Weigh the slots by the match of their keys and sum their values.

    ``p_i = softmax_i(u · k_i)``, ``o = sum_i p_i v_i``

    Parameters
    ----------
    xp : module
        Array module.
    u : (B, F) float array
        The query.
    keys, values : (B, M, F) float array
    allowed : (B, M) bool array, optional
        Slots that take part in the softmax. By default all do.
    with_softmax : bool, default=True
        If False, ``p_i = u · k_i``.

    Returns
    -------
    o : (B, F) float array
    p : (B, M) float array
        The attention over slots.
    backward : callable
        ``do (B, F) -> du (B, F), d_keys (B, M, F), d_values (B, M, F)``

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3.1; without the softmax Sukhbaatar et al. 2015
    (arXiv 1503.08895), section 4.2.
    """
    scores = (keys @ u[:, :, None])[:, :, 0]  # (B, M)
    p, backward_softmax = softmax(xp, scores, allowed) if with_softmax else (scores, _identity)
    o = (p[:, None, :] @ values)[:, 0, :]  # (B, F)

    def backward(do):
        d_values = p[:, :, None] * do[:, None, :]  # (B, M, F)
        dp = (values @ do[:, :, None])[:, :, 0]  # (B, M)
        d_scores = backward_softmax(dp)
        d_keys = d_scores[:, :, None] * u[:, None, :]  # (B, M, F)
        du = (d_scores[:, None, :] @ keys)[:, 0, :]  # (B, F)
        return du, d_keys, d_values

    return o, p, backward


def _identity(dp):
    return dp
