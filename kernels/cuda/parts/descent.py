"""Gradient descent with a bounded norm, without a copy between host and device."""

from kvnet.kernels.cuda.parts.constants import DESCENTS_PER_LAUNCH
from kvnet.kernels.cuda.parts.launch import as_int32, blocks_for, launch, numbered
from kvnet.updates.row_gradient import RowGradient

ELEMENTS_PER_BLOCK = 4096


def descend(xp, params, gradients, learning_rate, max_norm, clip, squares=None) -> None:
    """Take a step in place: one launch for the norms, one for the update of several parameters.

    Each launch is for at most `DESCENTS_PER_LAUNCH` parameters.

    Parameters
    ----------
    xp, params, gradients, learning_rate, max_norm, clip
        As for `kvnet.updates.sgd`.
    squares : dict of str to float array, optional
        As for `kvnet.updates.adagrad`. If given, the step is that of Adagrad.
    """
    dtype, adaptive = next(iter(params.values())).dtype, squares is not None
    descents, end = [], 0
    for name, gradient in gradients.items():
        has_rows = isinstance(gradient, RowGradient)
        values = xp.ascontiguousarray(gradient.values if has_rows else gradient)
        rows = as_int32(xp, gradient.rows) if has_rows else xp.empty(1, "int32")  # not read
        begin, end = end, end + blocks_for(values.size, ELEMENTS_PER_BLOCK)
        one = {"theta": params[name], "has_rows": has_rows, "rows": rows, "gradient": values}
        one |= {"count": values.size, "width": values.shape[-1], "begin": begin, "end": end}
        descents.append(one | {"squares": squares[name] if adaptive else params[name]})
    sums, n = xp.empty(end, dtype), DESCENTS_PER_LAUNCH
    groups = [descents[first : first + n] for first in range(0, len(descents), n)]
    for group in groups:
        _launch(xp, "descent_squares", group, sums, elements_per_block=ELEMENTS_PER_BLOCK)
    rule = {"together": clip == "global", "max_norm": float(max_norm)}
    rule |= {"rate": float(learning_rate), "adaptive": adaptive, "all_sums": end}
    for group in groups:
        _launch(xp, "descend", group, sums, **rule)


def _launch(xp, name, group, sums, **arguments):
    grid = max(one["end"] - one["begin"] for one in group), len(group)
    arguments |= numbered(group, DESCENTS_PER_LAUNCH)
    launch(xp, sums.dtype, name, grid, sums=sums, **arguments)
