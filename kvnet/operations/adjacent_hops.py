"""Hops in which a hop's values are the keys of the next hop."""

from itertools import pairwise

from kvnet.operations.address import address


def adjacent_hops(xp, u, memories, with_softmax: bool = True):
    """Hop H times: ``u_{h+1} = u_h + o_h``, ``o_h = sum_i softmax_i(u_h · m_h,i) m_{h+1},i``.

    Parameters
    ----------
    xp : module
        Array module.
    u : (B, E) float array
        u_1.
    memories : sequence of H + 1 (B, M, E) float arrays
        m_1..m_{H+1}.
    with_softmax : bool, default=True
        As for `address`.

    Returns
    -------
    u : (B, E) float array
        u_{H+1}.
    attention : (H, B, M) float array
    backward : callable
        ``du (B, E) -> du_1 (B, E), d_memories``, the latter a list of H + 1 (B, M, E)

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), section 2.2.
    """
    attention, backward_hops = [], []
    for keys, values in pairwise(memories):
        o, p, backward_address = address(xp, u, keys, values, with_softmax=with_softmax)
        u = u + o
        attention.append(p)
        backward_hops.append(backward_address)

    def backward(du):
        d_memories = [0] * len(memories)
        for h in reversed(range(len(backward_hops))):
            du_address, d_keys, d_values = backward_hops[h](du)
            du = du + du_address
            d_memories[h] = d_memories[h] + d_keys
            d_memories[h + 1] = d_memories[h + 1] + d_values
        return du, d_memories

    return u, xp.stack(attention), backward
