"""The End-To-End Memory Networks' hops, a question a block of threads, in one launch each way."""

from typing import NamedTuple

from kvnet.kernels.cuda.parts.compilation import SHARED_BYTES, THREADS, launch, numbers


class SlotMemory(NamedTuple):
    """A memory whose slots are sums of readings by number.

    Attributes
    ----------
    keys, values : (U, E) float array
        What the first hop reads.
    from_hop_to_hop : int
        Numbers from a hop's tables to the next one's; 0 where all hops read the same.
    rows : (B, M, K) int32 array
    with_nil : bool
        Whether row 0 stands for nothing.
    encodings : tuple of two (M, E) float arrays, or empty
        Temporal encodings of keys and values.
    matrix : (E, E) float array or None
        C; None leaves the query as it is.
    linear_size : int
        Components of the query that are not rectified.
    """

    keys: object
    values: object
    from_hop_to_hop: int
    rows: object
    with_nil: bool
    encodings: tuple
    matrix: object
    linear_size: int


def fits(M: int, E: int, dtype) -> bool:
    """Return whether a question's vectors fit into shared memory."""
    return _shared(M, E) * dtype.itemsize <= SHARED_BYTES


def _shared(M, E):
    return 3 * E + M + THREADS


def slot_hops(xp, u, memory: SlotMemory, hops: int, with_softmax: bool = True):
    """Hop H times: ``u' = rectified(u C + o)``, ``o = sum_i softmax_i(u · k_i) v_i``.

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
        The query before every hop, and after the last.
    attention : (H, B, M) float array
    backward : callable
        ``du (B, E) -> d_us (H + 1, B, E), d_scores (H, B, M)``: first the query's gradient, then
        those of the hops' sums ``u C + o``.
    """
    (B, E), (_, M, K), dtype = u.shape, memory.rows.shape, u.dtype
    us, attention = xp.empty((hops + 1, B, E), dtype), xp.empty((hops, B, M), dtype)
    us[0] = u
    matrix = us if memory.matrix is None else xp.ascontiguousarray(memory.matrix)
    flags = with_softmax, memory.with_nil, memory.matrix is not None, bool(memory.encodings)
    given = [B, M, K, E, hops, memory.linear_size, *map(int, flags), memory.from_hop_to_hop]
    given += [*map(xp.ascontiguousarray, (memory.keys, memory.values))]
    given += [*map(xp.ascontiguousarray, memory.encodings or (us, us)), matrix]
    given.append(numbers(xp, memory.rows))
    launch(xp, dtype, "slot_hops", B, (*given, us, attention), _shared(M, E))

    def backward(du):
        d_us, d_scores = xp.empty_like(us), xp.empty_like(attention)
        d_us[hops] = du
        launch(
            xp, dtype, "slot_hops_back", B, (*given, us, attention, d_us, d_scores), _shared(M, E)
        )
        return d_us, d_scores

    return us, attention, backward
