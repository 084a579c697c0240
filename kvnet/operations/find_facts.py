"""Key hashing: the facts whose key has an entity."""


def find_facts(xp, index, entities):
    """List the facts of entities by the index, one entity after another.

    Parameters
    ----------
    xp : module
        Array module.
    index : FactIndex
    entities : (n,) integer array

    Returns
    -------
    owners : (m,) int64 array
        The position in `entities` whose fact it is.
    edges : (m,) int64 array
        The position of the fact in the arrays of the index.

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3.1, "key hashing".
    """
    firsts = index.starts[entities]
    counts = index.starts[entities + 1] - firsts
    stops = xp.cumsum(counts)
    count = int(stops[-1]) if len(entities) else 0
    owners = xp.searchsorted(stops, xp.arange(count), side="right")
    edges = xp.arange(count) - (stops - counts)[owners] + firsts[owners]
    return owners, edges
