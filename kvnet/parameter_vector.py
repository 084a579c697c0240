"""All parameters of a model as one vector, and the named arrays that are parts of it."""

from collections.abc import Mapping
from math import prod


def sections_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, int]]:
    """Return from where to where each array's numbers stand: one after another, in order."""
    sections, start = {}, 0
    for name, shape in shapes.items():
        sections[name] = start, start + prod(shape)
        start += prod(shape)
    return sections


def by_name(vector, shapes: Mapping[str, tuple[int, ...]]) -> dict:
    """Return the parts of a vector as arrays: views, so a change of one changes the other.

    Parameters
    ----------
    vector : (N,) array
    shapes : mapping of str to tuple of int
        N numbers in all.

    Returns
    -------
    arrays : dict of str to array
    """
    sections = sections_of(shapes)
    return {name: vector[slice(*sections[name])].reshape(shape) for name, shape in shapes.items()}


def as_vector(xp, arrays: Mapping):
    """Return the numbers of named arrays as one vector, in the arrays' order.

    Parameters
    ----------
    xp : module
        Array module.
    arrays : mapping of str to array

    Returns
    -------
    vector : (N,) array
    """
    return xp.concatenate([array.reshape(-1) for array in arrays.values()])
