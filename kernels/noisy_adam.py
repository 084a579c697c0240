"""The update of the Key-Value Memory Network, in two passes over all parameters."""

import numpy
from numba import njit, prange

from kvnet.kernels.parts.compile_options import PARALLEL
from kvnet.kernels.parts.philox import stream_of
from kvnet.kernels.parts.update_blocks import (
    PARAMETERS_PER_BLOCK,
    Vectors,
    add_penalty,
    clip_scales,
    fill_noise,
    rule_for,
    update_block,
)
from kvnet.updates.noisy_adam import corrected_rate


@njit(**PARALLEL)
def _update(theta, gradient, m, v, rate, rule, stream, squares):
    square = theta[0] * 0
    for block in range(len(squares)):  # too short to be worth a start of the threads
        start = block * PARAMETERS_PER_BLOCK
        some = slice(start, start + PARAMETERS_PER_BLOCK)
        square += add_penalty(start, theta[some], gradient[some], rule, squares[block])
    scales = clip_scales(squares, rule)
    for block in prange(len(squares)):
        start = block * PARAMETERS_PER_BLOCK
        some = slice(start, min(start + PARAMETERS_PER_BLOCK, theta.size))
        noise = numpy.empty(PARAMETERS_PER_BLOCK, theta.dtype)
        fill_noise(noise, start, rule, stream)
        vectors = Vectors(theta[some], gradient[some], m[some], v[some], noise)
        update_block(start, vectors, scales, rate, rule)
    return square


def noisy_adam(xp, theta, gradient, m, v, step, learning_rate, rule):
    """Fused form of `kvnet.updates.noisy_adam`: noise is drawn where it is used, block by block.

    Parameters, returns and references: see there.
    """
    blocks, dtype = -(-theta.size // PARAMETERS_PER_BLOCK), theta.dtype
    square = _update(
        theta,
        gradient.copy(),
        m,
        v,
        dtype.type(corrected_rate(learning_rate, step)),
        rule_for(dtype, rule),
        stream_of(rule.random_state, "gradient noise", step),
        numpy.empty((blocks, len(rule.sections)), dtype),
    )
    return dtype.type(0.5 * rule.l2_lambda * square)
