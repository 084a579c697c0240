"""The gradient of an embedding table that is non-zero in a few rows only."""

from typing import NamedTuple

import numpy


class RowGradient(NamedTuple):
    """The gradient of an embedding table that is non-zero in a few rows only.

    Attributes
    ----------
    rows : (U,) integer array
        Row indices, all different.
    values : (U, E) float array
        The gradients of these rows.
    """

    rows: numpy.ndarray
    values: numpy.ndarray


def dense(xp, gradients: dict, params: dict) -> dict:
    """Return gradients by name, each `RowGradient` as an array of its parameter's shape.

    Parameters
    ----------
    xp : module
        Array module.
    gradients : dict of str to float array or RowGradient
    params : dict of str to float array
        Only shapes and dtypes are used.

    Returns
    -------
    gradients : dict of str to float array
    """
    arrays = {}
    for name, gradient in gradients.items():
        arrays[name] = gradient
        if isinstance(gradient, RowGradient):
            arrays[name] = xp.zeros_like(params[name])
            arrays[name][gradient.rows] = gradient.values
    return arrays
