"""Named arrays as one vector."""

from collections.abc import Mapping


def as_vector(xp, arrays: Mapping):
    """Concatenate named arrays to one vector, in their order.

    Parameters
    ----------
    xp : module
        Array module.
    arrays : mapping of str to array

    Returns
    -------
    vector : (N,) array
        `kvnet.parameter_vector.by_name` returns the arrays again.
    """
    return xp.concatenate([array.reshape(-1) for array in arrays.values()])
