"""The hops over a memory whose slots name the readings that they hold."""

from kvnet.operations.fill_slots import fill_slots
from kvnet.operations.key_value_hops import key_value_hops
from kvnet.operations.memory import Memory


def key_value_hops_by_row(xp, query, memory: Memory, A, R):
    """Fill the slots, ``k_i = r[key_rows_i] + TK_i`` and likewise ``v_i``, and hop over them.

    Parameters
    ----------
    xp : module
        Array module.
    query : (B, D) float array
    memory : Memory
    A : (F, D) float array
    R : (H, F, F) float array
        As for `key_value_hops`.

    Returns
    -------
    u : (B, F) float array
        u_H.
    attention : (H, B, M) float array
    backward : callable
        ``du (B, F) -> d_query (B, D), d_memory (Memory), dA (F, D), dR (H, F, F)``

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3.1.
    """
    keys, backward_keys = fill_slots(xp, memory.readings, memory.key_rows, memory.TK)
    values, backward_values = fill_slots(xp, memory.readings, memory.value_rows, memory.TV)
    u, attention, backward_hops = key_value_hops(xp, query, keys, values, A, R, memory.allowed)

    def backward(du):
        d_query, d_keys, d_values, dA, dR = backward_hops(du)
        d_as_keys, dTK = backward_keys(d_keys)
        d_as_values, dTV = backward_values(d_values)
        return d_query, Memory(d_as_keys + d_as_values, dTK, dTV), dA, dR

    return u, attention, backward
