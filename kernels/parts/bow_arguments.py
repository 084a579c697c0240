"""The arguments of the kernels that train or answer with the bow reader in one call.

Both forms, for NumPy and for CUDA, take these. They hold arrays and sizes only.
"""

from typing import NamedTuple

import numpy


class BowModel(NamedTuple):
    """A Key-Value Memory Network with the bow reader.

    Attributes
    ----------
    theta : (N,) float array
        All parameters.
    shapes : dict of str to tuple of int
        Of the parameters ``W, W_mem, A, TK, TV, R_1..R_H, B``, in the order of `theta`, which has
        R_1..R_H one after another.
    hops : int
        H.
    encoding : (S, E) float array
        Position encoding.
    mask_padding : bool
        Whether empty slots are left out of the softmax.
    """

    theta: numpy.ndarray
    shapes: dict[str, tuple[int, ...]]
    hops: int
    encoding: numpy.ndarray
    mask_padding: bool


class Questions(NamedTuple):
    """The questions of a data set, on the model's array module.

    Attributes
    ----------
    sentences : (U, S) int32 array
        The different sentences as word ids; row 0 is all nil.
    queries : (N,) int32 array
        Rows of `sentences`.
    keys, values : (N, M) int32 array
        Rows of `sentences`; 0 in an empty slot. One and the same array if all values are the keys.
    answers : (N,) int32 array
        Word ids.
    """

    sentences: numpy.ndarray
    queries: numpy.ndarray
    keys: numpy.ndarray
    values: numpy.ndarray
    answers: numpy.ndarray
