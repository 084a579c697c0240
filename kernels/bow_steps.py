"""Training steps of the bow reader in one call: no Python and no start of threads between them.

A step has three phases. Threads share the blocks of each (`kvnet.kernels.parts.threads`):

1. A block of questions gives its losses and a gradient of all parameters. A block of parameters
   gives its noise.
2. A block of parameters sums the gradients of all blocks of questions, adds the penalty's, and sums
   the squares.
3. A block of parameters is updated, now that the norms to clip by are known.
"""

import numpy

from kvnet.kernels.parts.blocks import cut_questions
from kvnet.kernels.parts.bow_arguments import BowModel, Questions
from kvnet.kernels.parts.bow_questions import (
    compiled_model,
    gather_block,
    parameters_of,
    read_memory,
    read_query,
)
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import INNER_NOT_INLINED, NOT_INLINED
from kvnet.kernels.parts.philox import steps_later, stream_of
from kvnet.kernels.parts.question_block import Gradients, forward_backward
from kvnet.kernels.parts.threads import (
    block_done,
    next_block,
    run_on_all_threads,
    wait_until_done,
)
from kvnet.kernels.parts.update_blocks import (
    PARAMETERS_PER_BLOCK,
    Vectors,
    add_penalty,
    clip_scales,
    fill_noise,
    rule_for,
    update_block,
)
from kvnet.kernels.parts.word_sums import scatter_words
from kvnet.updates.noisy_adam import UpdateRule

PHASES = 3


@njit(**INNER_NOT_INLINED)
def _differentiate(rows, questions, same, new_rows, model, gradient, losses):
    """Compute the losses of a block of questions, and their gradient of all parameters."""
    p, d = parameters_of(model.theta, model), parameters_of(gradient, model)
    block = gather_block(rows, questions, same, new_rows)
    memory, query = read_memory(block, p, model), read_query(block, p, model)
    d_query, d_keys = numpy.empty_like(query), numpy.empty_like(memory.keys)
    d_values, M = numpy.empty_like(d_keys), block.key_rows.shape[1]
    gradients = Gradients(d_query, d_keys, d_values, d.A, d.R, d.output_map, d.W_mem)
    weights = p.A, p.R, p.output_map, p.W_mem
    forward_backward(query, memory, *weights, block.answers, losses, gradients)
    dTK, dTV, dW = d.TK, d.TV, d.W
    for n in range(M):
        for e in range(d_keys.shape[1]):
            dTK[n, e], dTV[n, e] = d_keys[n, e], d_values[n, e]
    for n in range(M, len(dTK)):  # slots that no question has
        for e in range(d_keys.shape[1]):
            dTK[n, e], dTV[n, e] = 0, 0
    for n in range(M, len(d_keys)):  # a reading is key and value
        for e in range(d_keys.shape[1]):
            d_keys[n, e] += d_values[n, e]
    scatter_words(block.sentences, d_keys[M:], model.encoding, d.W_mem)
    for n in range(len(dW)):
        for e in range(dW.shape[1]):
            dW[n, e] = 0
    scatter_words(block.query, d_query, model.encoding, dW)


@njit(**INNER_NOT_INLINED)
def _sum_gradients(block, gradients, theta, rule, squares):
    """Sum a block of the gradient over blocks of questions, into the first; see `add_penalty`."""
    start = block * PARAMETERS_PER_BLOCK
    some = slice(start, start + PARAMETERS_PER_BLOCK)
    total = gradients[0, some]
    for k in range(1, len(gradients)):
        part = gradients[k, some]
        for i in range(len(total)):
            total[i] += part[i]
    return add_penalty(start, theta[some], total, rule, squares)


@njit(**INNER_NOT_INLINED)
def _update(block, vectors, squares, rate, rule):
    start = block * PARAMETERS_PER_BLOCK
    some = slice(start, start + PARAMETERS_PER_BLOCK)
    theta, gradient, m, v, noise = vectors
    of_block = Vectors(theta[some], gradient[some], m[some], v[some], noise[some])
    update_block(start, of_block, clip_scales(squares, rule), rate, rule)


@njit(**NOT_INLINED)
def _take_steps(
    counters,
    rows,
    bounds,
    questions,
    same,
    model,
    gradients,
    vectors,
    squares,
    rates,
    rule,
    stream,
    losses,
    theta_squares,
):
    """Do a thread's share of all steps."""
    question_blocks, blocks = len(bounds) - 1, len(squares)
    new_rows = numpy.zeros(len(questions.sentences), numpy.int32)
    theta, all_noise = vectors.theta, vectors.noise
    for step in range(len(rows)):
        phase = PHASES * step
        k = next_block(counters, phase)
        while k < question_blocks + blocks:
            if k < question_blocks:
                block = slice(bounds[k], bounds[k + 1])
                results = gradients[k], losses[step, block]
                _differentiate(rows[step, block], questions, same, new_rows, model, *results)
            else:
                start = (k - question_blocks) * PARAMETERS_PER_BLOCK
                noise = all_noise[start : start + PARAMETERS_PER_BLOCK]
                fill_noise(noise, start, rule, steps_later(stream, step))
            block_done(counters, phase)
            k = next_block(counters, phase)
        wait_until_done(counters, phase, question_blocks + blocks)
        phase += 1
        k = next_block(counters, phase)
        while k < blocks:
            theta_squares[step, k] = _sum_gradients(k, gradients, theta, rule, squares[k])
            block_done(counters, phase)
            k = next_block(counters, phase)
        wait_until_done(counters, phase, blocks)
        phase += 1
        k = next_block(counters, phase)
        while k < blocks:
            _update(k, vectors, squares, rates[step], rule)
            block_done(counters, phase)
            k = next_block(counters, phase)
        wait_until_done(counters, phase, blocks)


def take_steps(
    bow: BowModel, m, v, questions: Questions, rows, first_step: int, rates, rule: UpdateRule
) -> numpy.ndarray:
    """Take training steps: the gradient of a batch, then `kvnet.updates.noisy_adam`.

    Parameters
    ----------
    bow : BowModel
        Its `theta` is changed in place.
    m, v : (N,) float array
        Running means, changed in place.
    questions : Questions
    rows : (count, B) int64 array
        The questions of each step.
    first_step : int
        Number of steps before these.
    rates : sequence of float
        The bias-corrected learning rate of each step.
    rule : UpdateRule

    Returns
    -------
    losses : (count,) float64 array
        The loss of each step, summed over its batch, with the penalty.
    """
    theta, count, bounds = bow.theta, len(rows), cut_questions(rows.shape[1])
    blocks = -(-theta.size // PARAMETERS_PER_BLOCK)

    def empty(*shape):
        return numpy.empty(shape, theta.dtype)

    inputs = rows, bounds, questions, questions.values is questions.keys, compiled_model(bow)
    gradients, noise = empty(len(bounds) - 1, theta.size), empty(blocks * PARAMETERS_PER_BLOCK)
    vectors, squares = Vectors(theta, gradients[0], m, v, noise), empty(blocks, len(rule.sections))
    stream = stream_of(rule.random_state, "gradient noise", first_step)
    update = numpy.array(rates, theta.dtype), rule_for(theta.dtype, rule), stream
    losses, theta_squares = empty(*rows.shape), empty(count, blocks)
    arguments = *inputs, gradients, vectors, squares, *update, losses, theta_squares
    most = len(bounds) - 1 + blocks
    run_on_all_threads(_take_steps, most, *arguments, phases=PHASES * count)
    losses, theta_squares = (x.sum(axis=1, dtype="float64") for x in (losses, theta_squares))
    return losses + rule.l2_lambda / 2 * theta_squares
