"""All parameters of a model as one vector, and the named arrays that are views of its sections."""

from collections.abc import Mapping
from math import prod


def sections_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, int]]:
    """Return the section, (start, stop), of each array in the vector of all, in their order."""
    sections, start = {}, 0
    for name, shape in shapes.items():
        sections[name] = start, start + prod(shape)
        start += prod(shape)
    return sections


def by_name(vector, shapes: Mapping[str, tuple[int, ...]]) -> dict:
    """Return the sections of a vector as arrays: views that share its memory.

    Parameters
    ----------
    vector : (N,) array
    shapes : mapping of str to tuple of int
        Of N elements in total.

    Returns
    -------
    arrays : dict of str to array
    """
    sections = sections_of(shapes)
    return {name: vector[slice(*sections[name])].reshape(shape) for name, shape in shapes.items()}
