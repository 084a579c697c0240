"""MemN2N's hops with layer-wise tying, over slots that name the readings they are sums of."""

from kvnet.operations.layerwise_hops import layerwise_hops
from kvnet.operations.sum_slots import sum_slots


def layerwise_hops_by_row(
    xp, u, key_readings, value_readings, matrix, rows, hops: int, with_softmax: bool = True
):
    """Fill the slots, ``k_i = sum_k r_k[rows_ik]`` and likewise ``v_i``, and hop linearly.

    Parameters
    ----------
    xp : module
        Array module.
    u : (B, E) float array
        u_0.
    key_readings, value_readings : (U, E) float array
        r_k and r_v, as for `sum_slots`.
    matrix : (E, E) float array
        C of `layerwise_hops`.
    rows : (B, M, K) integer array
    hops : int
        H.
    with_softmax : bool, default=True
        As for `address`.

    Returns
    -------
    u : (B, E) float array
        u_H.
    attention : (H, B, M) float array
    backward : callable
        ``du (B, E) -> du_0 (B, E), d_key_readings (U, E), d_value_readings (U, E),
        d_matrix (E, E)``

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), section 2.2.
    """
    keys, backward_keys = sum_slots(xp, key_readings, rows)
    values, backward_values = sum_slots(xp, value_readings, rows)
    E = u.shape[1]  # nothing is rectified
    u, attention, backward_hops = layerwise_hops(xp, u, keys, values, matrix, hops, E, with_softmax)

    def backward(du):
        du, d_keys, d_values, d_matrix = backward_hops(du)
        return du, backward_keys(d_keys), backward_values(d_values), d_matrix

    return u, attention, backward
