"""Arrays nested in lists, tuples and dicts: their names, and replacing them."""

from collections.abc import Iterator


def named_leaves(value, name: str) -> list[tuple[str, object]]:
    """List the leaves of a nested value with their names, such as ``hop_matrices[1]``.

    Parameters
    ----------
    value : object
        Lists, tuples and dicts are traversed; any other object is a leaf.
    name : str
        Name of the whole value.

    Returns
    -------
    leaves : list of (str, leaf)
    """
    if isinstance(value, dict):
        parts = [(f"{name}[{key!r}]", part) for key, part in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(f"{name}[{index}]", part) for index, part in enumerate(value)]
    else:
        return [(name, value)]
    return [leaf for part_name, part in parts for leaf in named_leaves(part, part_name)]


def is_array(value) -> bool:
    """Return whether a value is an array of any module, or a NumPy scalar."""
    # Of the type: the module NumPy itself has both names.
    return hasattr(type(value), "dtype") and hasattr(type(value), "shape")


def with_leaves(value, leaves: Iterator):
    """Build the same structure with other leaves, in the order of `named_leaves`.

    Parameters
    ----------
    value : object
        The structure.
    leaves : iterator
        Each leaf consumes one element of it.

    Returns
    -------
    value : object
    """
    if isinstance(value, dict):
        return {key: with_leaves(part, leaves) for key, part in value.items()}
    if isinstance(value, list | tuple):
        parts = [with_leaves(part, leaves) for part in value]
        if hasattr(value, "_fields"):  # the constructor of a named tuple takes separate arguments
            return type(value)(*parts)
        return type(value)(parts)
    return next(leaves)
