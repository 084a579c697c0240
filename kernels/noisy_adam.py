"""The update of the Key-Value Memory Network, in two passes over all parameters."""

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED
from kvnet.kernels.parts.philox import stream_of
from kvnet.kernels.parts.threads import next_block, run_on_all_threads
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


@njit(**NOT_INLINED)
def _add_penalties(theta, gradient, rule, squares):
    """Add the L2 penalty to the gradient; too short to be worth several threads."""
    square = theta[0] * 0
    for block in range(len(squares)):
        start = block * PARAMETERS_PER_BLOCK
        some = slice(start, start + PARAMETERS_PER_BLOCK)
        square += add_penalty(start, theta[some], gradient[some], rule, squares[block])
    return square


@njit(**NOT_INLINED)
def _update(counters, theta, gradient, m, v, rate, rule, stream, squares):
    block, scales = next_block(counters, 0), clip_scales(squares, rule)
    while block < len(squares):
        start = block * PARAMETERS_PER_BLOCK
        some = slice(start, min(start + PARAMETERS_PER_BLOCK, theta.size))
        noise = numpy.empty(PARAMETERS_PER_BLOCK, theta.dtype)
        fill_noise(noise, start, rule, stream)
        vectors = Vectors(theta[some], gradient[some], m[some], v[some], noise)
        update_block(start, vectors, scales, rate, rule)
        block = next_block(counters, 0)


def noisy_adam(xp, theta, gradient, m, v, step, learning_rate, rule):
    """Fused form of `kvnet.updates.noisy_adam`: noise is drawn where it is used, block by block.

    Parameters, returns and references: see there.
    """
    blocks, dtype, gradient = -(-theta.size // PARAMETERS_PER_BLOCK), theta.dtype, gradient.copy()
    rate, compiled_rule = dtype.type(corrected_rate(learning_rate, step)), rule_for(dtype, rule)
    stream = stream_of(rule.random_state, "gradient noise", step)
    squares = numpy.empty((blocks, len(rule.sections)), dtype)
    square = _add_penalties(theta, gradient, compiled_rule, squares)
    inputs = rate, compiled_rule, stream, squares
    run_on_all_threads(_update, blocks, theta, gradient, m, v, *inputs)
    return dtype.type(0.5 * rule.l2_lambda * square)
