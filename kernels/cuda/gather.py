"""A row's gradient, gathered from the places that hold the row."""

from kvnet.kernels.cuda.compilation import blocks, launch
from kvnet.kernels.cuda.once import once_an_array

LOOKS = 1 << 26  # rows times places up to which every row looks through all places
COLUMNS_A_BLOCK = 128  # of a row


def places_by_row(xp, held, rows: int) -> tuple:
    """Return what the gathering kernels take: whether places come sorted, and how.

    Parameters
    ----------
    xp : module
        Array module.
    held : int32 array
        The row that each place holds.
    rows : int

    Returns
    -------
    sorted : int
        0 or 1.
    order, starts : int32 array
        Places sorted by row, and where each row's begin; not looked at unless sorted.
    """
    if rows * held.size <= LOOKS:
        nothing = xp.empty(1, "int32")
        return 0, nothing, nothing
    return 1, *_sorted(xp, held, rows)


@once_an_array
def _sorted(xp, held, rows):
    flat = held.reshape(-1)
    order = xp.argsort(flat, kind="stable")
    starts = xp.searchsorted(flat[order], xp.arange(rows + 1, dtype="int32"))
    return order.astype("int32"), starts.astype("int32")


def gather_slots(xp, count: int, rows, pairs, first_row: int = 0):
    """Sum, for each reading, what the slots that hold it say: ``sum_h p_h[b, i] w_h[b]``.

    Parameters
    ----------
    xp : module
        Array module.
    count : int
        U, readings.
    rows : (B, M) or (B, M, K) int32 array
        The readings that each slot holds.
    pairs : sequence of one or two (p, w)
        Contiguous float arrays, (H, B, M) and (H, B, D).
    first_row : int
        Readings before it get nothing.

    Returns
    -------
    d_readings : (U, D) float array
    """
    (H, B, M), w = pairs[0][0].shape, pairs[0][1]
    D, K = w.shape[2], rows.size // (B * M)
    d_readings = xp.empty((count, D), w.dtype)
    is_sorted, *places = places_by_row(xp, rows, count)
    arguments = is_sorted, len(pairs), rows, rows, *places, *places, B, M, K, H, D, first_row
    arguments += *pairs[0], *pairs[-1], d_readings, 0, 0
    launch(xp, w.dtype, "gather_slots", (count, 1, blocks(D, COLUMNS_A_BLOCK)), arguments)
    return d_readings
