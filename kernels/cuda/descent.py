"""Gradient descent with a bounded norm, which no number leaves the GPU for."""

from kvnet.kernels.cuda.compilation import blocks, launch, numbers
from kvnet.kernels.cuda.l2_penalty import NUMBERS_A_BLOCK
from kvnet.row_gradient import RowGradient


def descend(xp, params, gradients, learning_rate, max_norm, clip, squares=None) -> None:
    """Take a step in place: two launches a parameter, one for its norm and one for the step.

    Parameters
    ----------
    xp, params, gradients, learning_rate, max_norm, clip
        As for `kvnet.training.sgd`.
    squares : dict of str to float array, optional
        As for `kvnet.training.adagrad`, which this is then.
    """
    whole, dtype = xp.zeros(1, "int32"), next(iter(params.values())).dtype
    found, start = {}, 0
    for name, gradient in gradients.items():
        by_row = isinstance(gradient, RowGradient)
        rows = numbers(xp, gradient.rows) if by_row else whole
        values = xp.ascontiguousarray(gradient.values if by_row else gradient)
        stop = start + blocks(values.size, NUMBERS_A_BLOCK)
        found[name], start = (int(by_row), rows, values, start, stop), stop
    parts = xp.empty(start, dtype)
    for _, _, values, first, last in found.values():
        arguments = values, values.size, NUMBERS_A_BLOCK, parts[first:]
        launch(xp, dtype, "sum_squares", last - first, arguments)
    bounds = float(max_norm), float(learning_rate)
    for name, (by_row, rows, values, *own) in found.items():
        first, last = (0, start) if clip == "global" else own
        arguments = params[name], by_row, rows, values, values.size, values.shape[-1], parts
        adaptive = (0, parts) if squares is None else (1, squares[name])
        arguments = *arguments, first, last, *bounds, *adaptive
        launch(xp, dtype, "descend", own[1] - own[0], arguments)
