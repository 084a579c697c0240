"""Renumbering: the different indices that a batch uses, numbered from 0.

The number of different indices decides shapes, so a device must synchronise with the host: once for
all batches that are renumbered together.
"""

BATCHES_TOGETHER = 64  # number of batches that are packed with one synchronisation
LARGEST_TABLE = 1 << 24  # cells of a table with a row per batch and a column per index


def split(rows, cells: int) -> list:
    """Split a list of batches so that the table of each part is not too large.

    Parameters
    ----------
    rows : (n, B) integer array
        A batch per row.
    cells : int
        Size of the table for one batch.

    Returns
    -------
    parts : list of (m, B) integer array
    """
    most = max(1, LARGEST_TABLE // cells)
    return [rows[first : first + most] for first in range(0, len(rows), most)]


def renumber(xp, used, count: int) -> tuple:
    """Renumber the indices of each batch from 0, in increasing order; unused ones come last.

    Parameters
    ----------
    xp : module
        Array module.
    used : (n, N) integer array
        The indices that each batch uses, from 0 to `count` - 1.
    count : int

    Returns
    -------
    present : (n, U) int32 array
        The index that each new number replaces, all different; U is the largest number of different
        indices in a batch.
    renumbered : (n, N) int32 array
        The new number of each index in `used`.
    sizes : (n, 1) int32 array
        The number of different indices in each batch.
    """
    first_cells, indices = count * xp.arange(len(used))[:, None], xp.arange(count, dtype="int32")
    cells = first_cells + used  # of tables with a row per batch and a column per index
    is_used = xp.zeros((len(used), count), bool)
    is_used.reshape(-1)[cells] = True
    ranks = xp.cumsum(is_used, axis=1, dtype="int32")  # used indices up to and including this one
    sizes = ranks[:, -1:]
    new = xp.where(is_used, ranks - 1, sizes + indices - ranks)
    present = xp.empty((len(used), count), "int32")
    present.reshape(-1)[first_cells + new] = indices
    return present[:, : int(sizes.max())], new.reshape(-1)[cells], sizes


def renumber_sentences(xp, sides, rows, count: int) -> tuple:
    """Renumber the sentences in the slots of several batches; the empty sentence stays number 0.

    Parameters
    ----------
    xp : module
        Array module.
    sides : sequence of K (N, M) int32 arrays
        The sentence in each slot of all examples: as keys, and as values unless they are the same.
    rows : (n, B) integer array
        The examples of each batch.
    count : int
        Number of sentences.

    Returns
    -------
    present : (n, U) int32 array
        The sentence that each new number replaces; 0 again where a batch has fewer than U.
    slots : (n, K, B, M) int32 array
        The new number of the sentence in each slot.
    """
    n = len(rows)
    slots = xp.stack([side[rows] for side in sides], axis=1)
    used = xp.concatenate([xp.zeros((n, 1), "int32"), slots.reshape(n, -1)], axis=1)
    present, renumbered, sizes = renumber(xp, used, count)
    present = xp.where(xp.arange(present.shape[1]) < sizes, present, 0)
    return present, renumbered[:, 1:].reshape(slots.shape)
