"""The different numbers that batches name, found for several batches at once.

How many there are decides shapes, so a device must be waited for: once for all of these batches.
"""

TOGETHER = 64  # batches that a training packs at once
CELLS_AT_A_TIME = 1 << 24  # of a table of batches and of what they may name


def in_parts(rows, cells: int) -> list:
    """Cut a list of batches into parts whose tables are not too large.

    Parameters
    ----------
    rows : (n, B) integer array
        A batch each.
    cells : int
        Of the table that a batch takes.

    Returns
    -------
    parts : list of (m, B) integer array
    """
    most = max(1, CELLS_AT_A_TIME // cells)
    return [rows[first : first + most] for first in range(0, len(rows), most)]


def number_anew(xp, held, count: int) -> tuple:
    """Give what a batch names new numbers, lowest first, and then what the batch does not name.

    Parameters
    ----------
    xp : module
        Array module.
    held : (n, N) integer array
        What each batch names, numbers below `count`.
    count : int

    Returns
    -------
    listed : (n, U) int32 array
        What the new numbers stand for, each something different; U is how many the fullest batch
        names.
    numbers : (n, N) int32 array
        What is held, by new numbers.
    named : (n, 1) int32 array
        How many of its list a batch names.
    """
    batches, everything = xp.arange(len(held))[:, None], xp.arange(count, dtype="int32")
    present = xp.zeros((len(held), count), bool)
    present[batches, held] = True
    before = xp.cumsum(present, axis=1, dtype="int32")  # how many up to here, this one included
    named = before[:, -1:]
    new = xp.where(present, before - 1, named + everything - before)
    listed = xp.empty((len(held), count), "int32")
    listed[batches, new] = everything
    return listed[:, : int(named.max())], new[batches, held], named
