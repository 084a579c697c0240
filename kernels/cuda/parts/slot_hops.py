"""The hops of the End-To-End Memory Networks, one thread block per question."""

from typing import NamedTuple

import numpy

from kvnet.kernels.cuda.parts.constants import THREADS
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


class SlotHops(NamedTuple):
    """The arguments of the kernels; see slot_hops.cu and `SlotMemory`.

    Attributes
    ----------
    B, M, K, E, H, linear_size : int
    with_softmax, has_nil, has_matrix, has_encodings : int
    table_stride : int
    keys, values, TK, TV, matrix : contiguous float array
    rows : int32 array
    """

    B: int
    M: int
    K: int
    E: int
    H: int
    linear_size: int
    with_softmax: int
    has_nil: int
    has_matrix: int
    has_encodings: int
    table_stride: int
    keys: numpy.ndarray
    values: numpy.ndarray
    TK: numpy.ndarray
    TV: numpy.ndarray
    matrix: numpy.ndarray
    rows: numpy.ndarray


def question_fits_block(M: int, E: int, dtype) -> bool:
    """Return whether a block has shared memory for the vectors of a question."""
    return fits_shared_memory(_shared_size(M, E), dtype)


def _shared_size(M, E):
    return 3 * E + M + THREADS


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
    arguments = SlotHops(
        B=B,
        M=M,
        K=K,
        E=E,
        H=hops,
        linear_size=memory.linear_size,
        with_softmax=with_softmax,
        has_nil=memory.has_nil,
        has_matrix=memory.matrix is not None,
        has_encodings=bool(memory.encodings),
        table_stride=memory.table_stride,
        keys=xp.ascontiguousarray(memory.keys),
        values=xp.ascontiguousarray(memory.values),
        TK=xp.ascontiguousarray(TK),
        TV=xp.ascontiguousarray(TV),
        matrix=us if memory.matrix is None else xp.ascontiguousarray(memory.matrix),
        rows=as_int32(xp, memory.rows),
    )

    def run(name, **more):
        arrays = {"us": us, "ps": attention}
        size = _shared_size(M, E)
        launch(xp, dtype, name, B, shared_size=size, **arguments._asdict(), **arrays, **more)

    run("slot_hops")

    def backward(du):
        d_us, d_scores = xp.empty_like(us), xp.empty_like(attention)
        d_us[hops] = du
        run("slot_hops_backward", d_us=d_us, d_scores=d_scores)
        return d_us, d_scores

    return us, attention, backward
