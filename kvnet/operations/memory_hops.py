"""Hops over a memory of keys and values."""

from kvnet.operations.address import address
from kvnet.operations.hop import hop


def memory_hops(xp, u, keys, values, R, allowed=None):
    """Hop over the memory H times: ``p_i = softmax_i(u · k_i)``, ``u = (u + sum_i p_i v_i) R_hᵀ``.

    Parameters
    ----------
    xp : module
        Array module.
    u : (B, F) float array
        The query.
    keys, values : (B, M, F) float array
    R : (H, F, F) float array
        R_1..R_H.
    allowed : (B, M) bool array, optional
        Slots that take part in the softmax. By default all do.

    Returns
    -------
    u : (B, F) float array
        The query after the last hop.
    attention : (H, B, M) float array
    backward : callable
        ``du (B, F) -> du (B, F), d_keys (B, M, F), d_values (B, M, F), dR (H, F, F)``

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3.1.
    """
    attention, backward_hops = [], []
    for R_h in R:
        o, p, backward_address = address(xp, u, keys, values, allowed)
        u, backward_hop = hop(xp, u, o, R_h)
        attention.append(p)
        backward_hops.append((backward_address, backward_hop))

    def backward(du):
        d_keys, d_values, dR = 0, 0, []
        for backward_address, backward_hop in reversed(backward_hops):
            du, do, dR_h = backward_hop(du)
            du_address, dk, dv = backward_address(do)
            du = du + du_address  # u enters the scores and the sum u + o
            d_keys, d_values = d_keys + dk, d_values + dv
            dR.insert(0, dR_h)
        return du, d_keys, d_values, xp.stack(dR)

    return u, xp.stack(attention), backward
