"""The update of the Key-Value Memory Network in two launches: squares, then all the rest."""

from kvnet.kernels.cuda.parts.launch import launch
from kvnet.kernels.cuda.parts.update import chunk_squares, chunks_of, rule_arguments
from kvnet.updates.noisy_adam import corrected_rate


def noisy_adam(xp, theta, gradient, m, v, step, learning_rate, rule):
    """CUDA form of `kvnet.updates.noisy_adam`; the noise is drawn in the kernel.

    Parameters, returns and references: see there.
    """
    chunks, penalty = chunks_of(xp, rule.sections), xp.empty((), theta.dtype)
    squares = chunk_squares(xp, theta, gradient, rule.l2_lambda, chunks)
    arguments = rule_arguments(xp, [rule]) | {"theta": theta, "gradient": gradient, "m": m, "v": v}
    arguments |= {"chunks": chunks, "squares": squares, "sums": len(chunks), "penalty": penalty}
    arguments["step"] = xp.full(1, step, "int64")
    arguments["rate"] = xp.full(1, corrected_rate(learning_rate, step), "float64")
    launch(xp, theta.dtype, "noisy_adam", len(chunks) + 1, **arguments)
    return penalty
