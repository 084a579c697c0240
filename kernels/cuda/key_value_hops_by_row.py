"""The hops of the Key-Value Memory Network, by one block per question or by library products."""

from kvnet.kernels.cuda.parts.key_value_hops import BlockHops, hop_sizes
from kvnet.kernels.cuda.parts.large_memory import choose_method, large_memory_hops
from kvnet.kernels.cuda.parts.launch import fits_shared_memory
from kvnet.operations import key_value_hops_by_row as textbook


def key_value_hops_by_row(xp, query, memory, A, R):
    """CUDA form of `kvnet.operations.key_value_hops_by_row`.

    The textbook, if a question is too wide for a block.

    Parameters, returns and references: see there.
    """
    sizes = hop_sizes(query, memory, A, R)
    method = choose_method(sizes, len(memory.readings), A.dtype)
    if method:
        return large_memory_hops(xp, query, memory, A, R, method)
    if not fits_shared_memory(sizes.shared_size, A.dtype):
        return textbook(xp, query, memory, A, R)
    hops = BlockHops(xp, query, memory, A, R)
    u = xp.empty((sizes.B, sizes.F), A.dtype)
    hops.launch("key_value_hops_by_row", u=u)

    def backward(du):
        hops.launch("key_value_hops_by_row_backward", du=xp.ascontiguousarray(du))
        return hops.gradients()

    return u, hops.saved["ps"], backward
