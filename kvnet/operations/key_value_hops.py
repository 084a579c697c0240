"""All hops over a key-value memory, from the query's reading to the last query."""

from kvnet.operations.linear import linear
from kvnet.operations.memory_hops import memory_hops


def key_value_hops(xp, query, keys, values, A, R, allowed=None):
    """Hop over the memory H times.

    ``u_0 = q Aᵀ``; for h = 1..H: ``p_i = softmax_i(u_{h-1} · k_i Aᵀ)``, ``o = sum_i p_i v_i Aᵀ``,
    ``u_h = (u_{h-1} + o) R_hᵀ``.

    Parameters
    ----------
    xp : module
        Array module.
    query : (B, D) float array
        q, the readings of the questions.
    keys, values : (B, M, D) float array
        k and v, the readings in the slots with their temporal encodings.
    A : (F, D) float array
    R : (H, F, F) float array
        R_1..R_H.
    allowed : (B, M) bool array, optional
        Slots that take part in the softmax. By default all do.

    Returns
    -------
    u : (B, F) float array
        u_H.
    attention : (H, B, M) float array
    backward : callable
        ``du (B, F) -> d_query (B, D), d_keys (B, M, D), d_values (B, M, D), dA (F, D),
        dR (H, F, F)``

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3.1.
    """
    u, backward_query = linear(xp, query, A)  # (B, F)
    mapped_keys, backward_keys = linear(xp, keys, A)  # (B, M, F)
    mapped_values, backward_values = linear(xp, values, A)  # (B, M, F)
    u, attention, backward_hops = memory_hops(xp, u, mapped_keys, mapped_values, R, allowed)

    def backward(du):
        du, d_mapped_keys, d_mapped_values, dR = backward_hops(du)
        d_query, dA_query = backward_query(du)
        d_keys, dA_keys = backward_keys(d_mapped_keys)
        d_values, dA_values = backward_values(d_mapped_values)
        dA = dA_query + dA_keys + dA_values  # one A maps all three
        return d_query, d_keys, d_values, dA, dR

    return u, attention, backward
