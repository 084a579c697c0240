"""MemN2N's hops with adjacent tying, over slots that name the readings they are sums of."""

from kvnet.operations.adjacent_hops import adjacent_hops
from kvnet.operations.sum_slots import sum_slots


def adjacent_hops_by_row(xp, u, readings, rows, with_softmax: bool = True):
    """Fill the slots of H + 1 memories, ``m_h,i = sum_k r_h[rows_ik]``, and hop over them.

    Parameters
    ----------
    xp : module
        Array module.
    u : (B, E) float array
        u_1.
    readings : sequence of H + 1 (U, E) float arrays
        r_1..r_{H+1}, a table per memory, as for `sum_slots`.
    rows : (B, M, K) integer array
        The same for all memories.
    with_softmax : bool, default=True
        As for `address`.

    Returns
    -------
    u : (B, E) float array
        u_{H+1}.
    attention : (H, B, M) float array
    backward : callable
        ``du (B, E) -> du_1 (B, E), d_readings``, the latter a list of H + 1 (U, E)

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), section 2.2.
    """
    memories, backward_slots = zip(*(sum_slots(xp, r, rows) for r in readings), strict=True)
    u, attention, backward_hops = adjacent_hops(xp, u, memories, with_softmax)

    def backward(du):
        du, d_memories = backward_hops(du)
        pairs = zip(backward_slots, d_memories, strict=True)
        return du, [backward_sum(d_memory) for backward_sum, d_memory in pairs]

    return u, attention, backward
