"""Which places hold a row, for kernels that gather a row's gradient from them."""

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
    order, starts : int64 array
        Places sorted by row, and where each row's begin; not looked at unless sorted.
    """
    if rows * held.size <= LOOKS:
        nothing = xp.empty(1, "int64")
        return 0, nothing, nothing
    return 1, *_sorted(xp, held, rows)


@once_an_array
def _sorted(xp, held, rows):
    flat = held.reshape(-1)
    order = xp.argsort(flat, kind="stable")
    starts = xp.searchsorted(flat[order], xp.arange(rows + 1, dtype="int32"))
    return order.astype("int64"), starts.astype("int64")
