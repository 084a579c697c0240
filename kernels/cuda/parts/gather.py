"""A row's gradient, gathered from the places that hold the row."""

from kvnet.kernels.cuda.parts.compilation import THREADS, blocks, launch
from kvnet.kernels.cuda.parts.cached_per_array import once_an_array

LOOKS = 1 << 26  # rows times places up to which every row looks through all places
COLUMNS_A_BLOCK = 128  # of a row
ROWS_A_BLOCK = THREADS // 32  # where a warp gathers a row
MANY_ROWS = 1 << 14  # from which a warp is enough for one ...
FEW_PLACES = 32  # ... that stands in no more places on average
WINDOW_BYTES = 32 << 20  # of gradients gathered from at a time: they stay in the L2 cache


def places_by_row(xp, held, rows: int, window: int = 0) -> tuple:
    """Return what the gathering kernels take: whether places come sorted, and how.

    Parameters
    ----------
    xp : module
        Array module.
    held : int32 array
        The row that each place holds.
    rows : int
    window : int
        Sort so many places at a time, one window after another; 0 for all at once.

    Returns
    -------
    sorted : int
        0 or 1.
    order, starts : int32 array
        Places sorted by window and row, and where each row's begin in each window, one window's
        after another's; not looked at unless sorted.
    """
    if rows * held.size <= LOOKS:
        nothing = xp.empty(1, "int32")
        return 0, nothing, nothing
    return 1, *_sorted(xp, held, rows, window or held.size)


@once_an_array
def _sorted(xp, held, rows, window):
    keys, windows = held.reshape(-1), blocks(held.size, window)
    if windows > 1:
        keys = keys + (xp.arange(held.size) // window * rows).astype("int32")
    order = xp.argsort(keys, kind="stable")
    starts = xp.searchsorted(keys[order], xp.arange(windows * rows + 1, dtype="int32"))
    return order.astype("int32"), starts.astype("int32")


def gather_slots(xp, count: int, sides, first_row: int = 0):
    """Sum, for each reading, what the slots that hold it say: ``sum_h p_h[b, i] w_h[b]``.

    Parameters
    ----------
    xp : module
        Array module.
    count : int
        U, readings.
    sides : sequence of one or two (rows, p, w)
        The readings that each slot holds, (B, M) or (B, M, K) int32; what the slots say, contiguous
        float arrays, (H, B, M) and (H, B, D). The second side is added to the first.
    first_row : int
        Readings before it get nothing.

    Returns
    -------
    d_readings : (U, D) float array
    """
    (rows, p, w), (last_rows, last_p, last_w) = sides[0], sides[-1]
    (H, B, M), D, K = p.shape, w.shape[2], rows.size // p[0].size
    d_readings = xp.empty((count, D), w.dtype)
    is_sorted, *places = places_by_row(xp, rows, count)
    last_places = places if last_rows is rows else places_by_row(xp, last_rows, count)[1:]
    sizes, pairs = (B, M, K, H, D), (p, w, last_p, last_w)
    if is_sorted and count >= MANY_ROWS and rows.size <= FEW_PLACES * count:
        arguments = len(sides), *places, *last_places, *sizes, count, first_row, *pairs, d_readings
        grid = blocks(count, ROWS_A_BLOCK), blocks(D, COLUMNS_A_BLOCK)
        launch(xp, w.dtype, "gather_few_slots", grid, arguments)
    else:
        arguments = is_sorted, len(sides), rows, last_rows, *places, *last_places, *sizes, first_row
        grid = count, 1, blocks(D, COLUMNS_A_BLOCK)
        launch(xp, w.dtype, "gather_slots", grid, (*arguments, *pairs, d_readings, 0, 0))
    return d_readings


def gather_words(xp, words, V: int, encoding, d_readings):
    """Sum, for each word, what the places that hold it say: ``encoding_s d_readings_n``.

    Parameters
    ----------
    xp : module
        Array module.
    words : int32 array
        N S of them, a sentence's next to each other.
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
    window = S * max(1, WINDOW_BYTES // (E * dtype.itemsize))  # places in whole sentences
    is_sorted, order, starts = places_by_row(xp, words, V, window)
    windows = blocks(words.size, window) if is_sorted else 1
    for n in range(windows):
        arguments = is_sorted, int(n > 0), words, words.size, words.size, order, starts[n * V :]
        arguments += S, E, V, encoding, d_readings, d_table, d_table, 0, 0, 0
        launch(xp, dtype, "gather_words", (V, 1, blocks(E, COLUMNS_A_BLOCK)), arguments)
    return d_table
