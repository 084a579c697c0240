"""The hops of the End-To-End Memory Networks, one thread block per question."""

from typing import NamedTuple

import numpy

from kvnet.kernels.cuda.parts.constants import PARTIAL_SUMS
from kvnet.kernels.cuda.parts.launch import as_int32, fits_shared_memory, launch


class SlotMemory(NamedTuple):
    """A memory whose slots are sums of readings.

    Attributes
    ----------
    keys, values : (U, E) float array
        The readings of the first hop.
    table_stride : int
        Elements from the readings of one hop to those of the next; 0 if all hops have the same.
    rows : (B, M, K) integer array
    has_nil : bool
        Whether row 0 adds nothing.
    encodings : tuple of two (M, E) float arrays, or empty
        Temporal encodings of keys and values.
    matrix : (E, E) float array or None
        C; None for the identity.
    linear_size : int
        Components of the query that are not rectified.
    """

    keys: numpy.ndarray
    values: numpy.ndarray
    table_stride: int
    rows: numpy.ndarray
    has_nil: bool
    encodings: tuple
    matrix: numpy.ndarray | None
    linear_size: int


def question_fits_block(M: int, E: int, dtype) -> bool:
    """Return whether a block has shared memory for the vectors of a question."""
    return fits_shared_memory(_shared_size(M, E), dtype)


def _shared_size(M, E):
    return 3 * E + M + PARTIAL_SUMS


def slot_hops(xp, u, memory: SlotMemory, hops: int, with_softmax: bool = True):
    """Hop H times: ``u' = rectify(u C + o)``, ``o = sum_i softmax_i(u · k_i) v_i``.

    Parameters
    ----------
    xp : module
        Array module.
    u : (B, E) float array
    memory : SlotMemory
    hops : int
        H.
    with_softmax : bool

    Returns
    -------
    us : (H + 1, B, E) float array
        u_0..u_H.
    attention : (H, B, M) float array
    backward : callable
        ``du (B, E) -> d_us (H + 1, B, E), d_scores (H, B, M)``: the gradient of u_0, then those of
        the hops' sums ``u C + o``.
    """
    (B, E), (_, M, K), dtype = u.shape, memory.rows.shape, u.dtype
    us, attention = xp.empty((hops + 1, B, E), dtype), xp.empty((hops, B, M), dtype)
    us[0] = u
    TK, TV = memory.encodings or (us, us)  # arrays that are not read
    floats = {"keys": memory.keys, "values": memory.values, "TK": TK, "TV": TV}
    floats["matrix"] = us if memory.matrix is None else memory.matrix
    arguments = {name: xp.ascontiguousarray(array) for name, array in floats.items()}
    arguments |= {"B": B, "M": M, "K": K, "E": E, "H": hops, "with_softmax": with_softmax}
    arguments |= {"linear_size": memory.linear_size, "table_stride": memory.table_stride}
    arguments |= {"has_nil": memory.has_nil, "has_matrix": memory.matrix is not None}
    arguments |= {"has_encodings": bool(memory.encodings), "rows": as_int32(xp, memory.rows)}
    arguments |= {"us": us, "ps": attention, "shared_size": _shared_size(M, E)}
    launch(xp, dtype, "slot_hops", B, **arguments)

    def backward(du):
        d_us, d_scores = xp.empty_like(us), xp.empty_like(attention)
        d_us[hops] = du
        launch(xp, dtype, "slot_hops_backward", B, **arguments, d_us=d_us, d_scores=d_scores)
        return d_us, d_scores

    return us, attention, backward
