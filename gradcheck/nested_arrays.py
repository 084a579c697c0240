"""Arrays in lists, tuples and dicts: their names, and the same structure with other arrays."""

from collections.abc import Iterator


def named_leaves(value, name: str) -> list[tuple[str, object]]:
    """List what a nested value holds, each with its name, such as ``hop_matrices[1]``.

    Parameters
    ----------
    value : anything
        Lists, tuples and dicts are gone into; everything else is a leaf.
    name : str
        Of the whole.

    Returns
    -------
    leaves : list of (str, leaf)
    """
    if isinstance(value, dict):
        parts = [(f"{name}[{key!r}]", part) for key, part in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(f"{name}[{place}]", part) for place, part in enumerate(value)]
    else:
        return [(name, value)]
    return [leaf for part_name, part in parts for leaf in named_leaves(part, part_name)]


def with_leaves(value, leaves: Iterator):
    """Build the same structure around other leaves, taken in the order of `named_leaves`.

    Parameters
    ----------
    value : anything
        The structure.
    leaves : iterator
        One leaf after the other is taken from it.

    Returns
    -------
    value : anything
    """
    if isinstance(value, dict):
        return {key: with_leaves(part, leaves) for key, part in value.items()}
    if isinstance(value, list | tuple):
        parts = [with_leaves(part, leaves) for part in value]
        if hasattr(value, "_fields"):  # a named tuple takes its parts one by one
            return type(value)(*parts)
        return type(value)(parts)
    return next(leaves)
