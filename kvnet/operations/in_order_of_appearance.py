"""Numbers for keys."""


def in_order_of_appearance(xp, keys):
    """Return a number for each different key, from 0 in the order in which they appear first.

    Parameters
    ----------
    xp : module
        Array module.
    keys : (n,) integer array

    Returns
    -------
    firsts : (m,) int64 array
        The position of the first of each.
    numbers : (n,) int64 array
        The number of each key, from 0 to m - 1.
    """
    _, firsts, numbers = xp.unique(keys, return_index=True, return_inverse=True)
    order = xp.argsort(firsts)
    rank = xp.empty_like(order)
    rank[order] = xp.arange(len(order))
    return firsts[order], rank[numbers.reshape(-1)]
