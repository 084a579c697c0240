"""The language model's hops over the words before a target."""

from kvnet.operations.fill_slots import fill_slots
from kvnet.operations.layerwise_hops import layerwise_hops
from kvnet.operations.memory import ContextMemory


def context_hops_by_row(xp, u, memory: ContextMemory, matrix, hops: int, linear_size: int):
    """Fill the slots, ``k_i = r_k[rows_i] + TK_i`` and likewise ``v_i``, and hop over them.

    Parameters
    ----------
    xp : module
        Array module.
    u : (B, E) float array
        u_0.
    memory : ContextMemory
    matrix : (E, E) float array
        C.
    hops, linear_size : int
        As for `layerwise_hops`.

    Returns
    -------
    u : (B, E) float array
        u_H.
    attention : (H, B, M) float array
    backward : callable
        ``du (B, E) -> du_0 (B, E), d_memory (ContextMemory), d_matrix (E, E)``

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), section 5.
    """
    keys, backward_keys = fill_slots(xp, memory.key_readings, memory.rows, memory.TK)
    values, backward_values = fill_slots(xp, memory.value_readings, memory.rows, memory.TV)
    u, attention, backward_hops = layerwise_hops(xp, u, keys, values, matrix, hops, linear_size)

    def backward(du):
        du, d_keys, d_values, d_matrix = backward_hops(du)
        d_key_readings, dTK = backward_keys(d_keys)
        d_value_readings, dTV = backward_values(d_values)
        return du, ContextMemory(d_key_readings, d_value_readings, dTK, dTV), d_matrix

    return u, attention, backward
