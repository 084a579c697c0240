"""Gradient descent with a bounded norm, without a copy between host and device."""

from typing import NamedTuple

import numpy

from kvnet.kernels.cuda.parts.constants import DESCENTS_PER_LAUNCH
from kvnet.kernels.cuda.parts.launch import as_int32, blocks_for, launch, numbered
from kvnet.updates.row_gradient import RowGradient

ELEMENTS_PER_BLOCK = 4096


class Descent(NamedTuple):
    """The step of one parameter.

    Attributes
    ----------
    theta : float array
    has_rows : int
        Whether the gradient is of some rows only.
    rows : int32 array
        Their indices; not read otherwise.
    gradient : contiguous float array
    count, width : int
        Elements and columns of the gradient.
    begin, end : int
        The range of its sums of squares.
    squares : float array
        As for `kvnet.updates.adagrad`; otherwise not read.
    """

    theta: numpy.ndarray
    has_rows: int
    rows: numpy.ndarray
    gradient: numpy.ndarray
    count: int
    width: int
    begin: int
    end: int
    squares: numpy.ndarray


def descend(xp, params, gradients, learning_rate, max_norm, clip, squares=None) -> None:
    """Take a step in place; `DESCENTS_PER_LAUNCH` parameters share a launch for norms, and another.

    Parameters
    ----------
    xp, params, gradients, learning_rate, max_norm, clip
        As for `kvnet.updates.sgd`.
    squares : dict of str to float array, optional
        As for `kvnet.updates.adagrad`, which this computes then.
    """
    dtype, adaptive = next(iter(params.values())).dtype, squares is not None
    descents, end = [], 0
    for name, gradient in gradients.items():
        has_rows = isinstance(gradient, RowGradient)
        values = xp.ascontiguousarray(gradient.values if has_rows else gradient)
        begin, end = end, end + blocks_for(values.size, ELEMENTS_PER_BLOCK)
        descents.append(
            Descent(
                theta=params[name],
                has_rows=has_rows,
                rows=as_int32(xp, gradient.rows) if has_rows else xp.empty(1, "int32"),
                gradient=values,
                count=values.size,
                width=values.shape[-1],
                begin=begin,
                end=end,
                squares=squares[name] if adaptive else params[name],
            )
        )
    sums, n = xp.empty(end, dtype), DESCENTS_PER_LAUNCH
    groups = [descents[first : first + n] for first in range(0, len(descents), n)]
    for group in groups:
        _launch(xp, "descent_squares", group, elements_per_block=ELEMENTS_PER_BLOCK, sums=sums)
    for group in groups:
        _launch(
            xp,
            "descend",
            group,
            sums=sums,
            all_sums=end,
            together=clip == "global",
            max_norm=float(max_norm),
            rate=float(learning_rate),
            adaptive=adaptive,
        )


def _launch(xp, name, group, **arguments):
    grid = max(one.end - one.begin for one in group), len(group)
    arguments |= numbered(group, DESCENTS_PER_LAUNCH)
    launch(xp, group[0].theta.dtype, name, grid, **arguments)
