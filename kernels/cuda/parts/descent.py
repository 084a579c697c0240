"""Gradient descent with a bounded norm, which no number leaves the GPU for."""

from kvnet.kernels.cuda.parts.compilation import blocks, launch, numbers
from kvnet.kernels.cuda.l2_penalty import NUMBERS_A_BLOCK
from kvnet.updates.row_gradient import RowGradient

PARAMETERS_A_LAUNCH = 6


def descend(xp, params, gradients, learning_rate, max_norm, clip, squares=None) -> None:
    """Take a step in place: for every six parameters a launch for norms, and one for the step.

    Parameters
    ----------
    xp, params, gradients, learning_rate, max_norm, clip
        As for `kvnet.updates.sgd`.
    squares : dict of str to float array, optional
        As for `kvnet.updates.adagrad`, which this is then.
    """
    dtype, adaptive = next(iter(params.values())).dtype, squares is not None
    jobs, parts = [], 0
    for name, gradient in gradients.items():
        by_row = isinstance(gradient, RowGradient)
        values = xp.ascontiguousarray(gradient.values if by_row else gradient)
        rows = numbers(xp, gradient.rows) if by_row else xp.empty(1, "int32")  # not looked at
        begin, parts = parts, parts + blocks(values.size, NUMBERS_A_BLOCK)
        sizes = values.size, values.shape[-1], begin, parts
        own = squares[name] if adaptive else params[name]
        jobs.append((params[name], int(by_row), rows, values, *sizes, own))
    sums = xp.empty(parts, dtype)
    groups = [jobs[n : n + PARAMETERS_A_LAUNCH] for n in range(0, len(jobs), PARAMETERS_A_LAUNCH)]
    for group in groups:
        _launch(xp, "descent_squares", group, (NUMBERS_A_BLOCK, sums))
    together = int(clip == "global")
    bounds = float(max_norm), float(learning_rate)
    for group in groups:
        _launch(xp, "descend", group, (sums, parts, together, *bounds, int(adaptive)))


def _launch(xp, name, jobs, more):
    most = max(end - begin for *_, begin, end, _ in jobs)
    filled = [*jobs, *[jobs[0]] * (PARAMETERS_A_LAUNCH - len(jobs))]  # the grid leaves these out
    arguments = [*(part for job in filled for part in job), *more]
    launch(xp, jobs[0][0].dtype, name, (most, len(jobs)), arguments)
