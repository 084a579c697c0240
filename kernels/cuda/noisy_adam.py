"""The update of the Key-Value Memory Network in two launches: squares, then all the rest."""

from kvnet.kernels.cuda.parts.update import chunk_squares, chunks_of, launch_update
from kvnet.updates.noisy_adam import corrected_rate


def noisy_adam(xp, theta, gradient, m, v, step, learning_rate, rule):
    """CUDA form of `kvnet.updates.noisy_adam`; the noise is drawn in the kernel.

    Parameters, returns and references: see there.
    """
    chunks, penalty = chunks_of(xp, rule.sections), xp.empty((), theta.dtype)
    squares = chunk_squares(xp, theta, gradient, rule.l2_lambda, chunks)
    rate = xp.full(1, corrected_rate(learning_rate, step), "float64")
    step, vectors = xp.full(1, step, "int64"), (theta, gradient, m, v)
    launch_update(xp, "noisy_adam", vectors, chunks, squares, step, rate, [rule], penalty=penalty)
    return penalty
