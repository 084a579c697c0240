"""The gradients of rows, each gathered from the places that hold the row."""

from kvnet.kernels.cuda.parts.cached_per_array import cached_per_array
from kvnet.kernels.cuda.parts.constants import COLUMNS_PER_BLOCK, THREADS, WARP
from kvnet.kernels.cuda.parts.launch import blocks_for, launch

LARGEST_SEARCH = 1 << 26  # rows times places up to which the block of a row searches all places
MANY_ROWS = 1 << 14  # least number of rows for which a warp, not a block, gathers each
FEW_PLACES = 32  # largest mean number of places per row for which a warp gathers each
WINDOW_BYTES = 32 << 20  # of gradients that are gathered from together: they stay in the L2 cache


def places_by_row(xp, held, rows: int, window: int = 0) -> tuple:
    """Sort places by row, unless a search for them is faster.

    Parameters
    ----------
    xp : module
        Array module.
    held : int32 array
        The row that each place holds.
    rows : int
    window : int
        Number of places that are sorted together, one window after another; 0 for all.

    Returns
    -------
    is_sorted : int
    order, starts : int32 array
        The places by window and row, and where those of each row begin, one window after another;
        not read unless sorted.
    """
    if rows * held.size <= LARGEST_SEARCH:
        unused = xp.empty(1, "int32")
        return 0, unused, unused
    return 1, *_sorted_places(xp, held, rows, window or held.size)


@cached_per_array
def _sorted_places(xp, held, rows, window):
    keys, windows = held.reshape(-1), blocks_for(held.size, window)
    if windows > 1:
        keys = keys + (xp.arange(held.size) // window * rows).astype("int32")
    order = xp.argsort(keys, kind="stable")
    starts = xp.searchsorted(keys[order], xp.arange(windows * rows + 1, dtype="int32"))
    return order.astype("int32"), starts.astype("int32")


def gather_slots(xp, count: int, sides, first_row: int = 0):
    """Sum, for each reading, over the slots that hold it: ``sum_h p_h[b, i] w_h[b]``.

    Parameters
    ----------
    xp : module
        Array module.
    count : int
        U, readings.
    sides : sequence of one or two (rows, p, w)
        The reading that each slot holds, (B, M) or (B, M, K) int32, and contiguous float arrays,
        (H, B, M) and (H, B, D). The second side is added to the first.
    first_row : int
        Readings before it get nothing.

    Returns
    -------
    d_readings : (U, D) float array
    """
    (rows, p, w), (last_rows, last_p, last_w) = sides[0], sides[-1]
    (H, B, M), D = p.shape, w.shape[2]
    is_sorted, order, starts = places_by_row(xp, rows, count)
    last_order, last_starts = order, starts
    if last_rows is not rows:
        _, last_order, last_starts = places_by_row(xp, last_rows, count)
    d_readings, columns = xp.empty((count, D), w.dtype), blocks_for(D, COLUMNS_PER_BLOCK)
    arguments = {"B": B, "M": M, "K": rows.size // (B * M), "H": H, "D": D}
    arguments |= {"sorted": is_sorted, "sides": len(sides), "first_row": first_row}
    arguments |= {"key_rows": rows, "key_order": order, "key_starts": starts}
    arguments |= {"value_rows": last_rows, "value_order": last_order, "value_starts": last_starts}
    arguments |= {"key_p": p, "key_w": w, "value_p": last_p, "value_w": last_w}
    arguments["d_readings"] = d_readings
    if is_sorted and count >= MANY_ROWS and rows.size <= FEW_PLACES * count:
        grid = blocks_for(count, THREADS // WARP), 1, columns
        launch(xp, w.dtype, "gather_few_slots", grid, **arguments, rows=count)
    else:
        launch(xp, w.dtype, "gather_slots", (count, 1, columns), **arguments)
    return d_readings


def gather_words(xp, words, V: int, encoding, d_readings):
    """Sum, for each word, over the places that hold it: ``encoding_s d_readings_n``.

    Parameters
    ----------
    xp : module
        Array module.
    words : int32 array
        N S word ids, sentence after sentence.
    V : int
        Size of the vocabulary.
    encoding : (S, E) float array
    d_readings : (N, E) contiguous float array

    Returns
    -------
    d_table : (V, E) float array
        The nil word's row is zero.
    """
    (S, E), dtype = encoding.shape, d_readings.dtype
    d_table = xp.empty((V, E), dtype)
    window = S * max(1, WINDOW_BYTES // (E * dtype.itemsize))  # places, in whole sentences
    is_sorted, order, starts = places_by_row(xp, words, V, window)
    arguments = {"words": words, "first_count": words.size, "count": words.size, "order": order}
    arguments |= {"encoding": encoding, "d_readings": d_readings, "d_table": d_table}
    arguments |= {"sorted": is_sorted, "S": S, "E": E, "V": V}
    grid = V, 1, blocks_for(E, COLUMNS_PER_BLOCK)
    for n in range(blocks_for(words.size, window) if is_sorted else 1):
        launch(xp, dtype, "gather_words", grid, **arguments, starts=starts[n * V :], add=n > 0)
    return d_table
