"""Training steps of the bow reader in one call: no Python and no start of threads between them.

A step has three phases, each cut into pieces that threads share out (`kvnet.kernels.parts.threads`):

1. a block of questions goes to its losses and back, and leaves a gradient of all parameters; beside
   them, the noise is drawn;
2. a stretch of the parameters adds up the blocks' gradients and the penalty's, and its squares;
3. a stretch is updated, once the norms that it is clipped by are known.
"""

import numpy
from numba import njit, uint64

from kvnet.kernels.parts.blocks import cut_questions
from kvnet.kernels.parts.bow_arguments import BowModel, Questions
from kvnet.kernels.parts.compile_options import INNER_NOT_INLINED, NOT_INLINED
from kvnet.kernels.parts.philox import at_step, stream_of
from kvnet.kernels.parts.question_block import there_and_back
from kvnet.kernels.parts.questions import (
    filled_or_all,
    gather_block,
    layout_of,
    packed,
    parts_of,
    read_memory,
    read_questions,
)
from kvnet.kernels.parts.threads import counters_for, meet, next_piece, piece_done, run_together
from kvnet.kernels.parts.update_blocks import (
    PARAMETERS_PER_BLOCK,
    Vectors,
    add_penalty,
    clip_scales,
    fill_noise,
    rule_of,
    update_block,
)
from kvnet.kernels.parts.word_sums import scatter_words

PHASES = 3


@njit(**INNER_NOT_INLINED)
def _take_questions(questions, data, place_of, theta, gradient, layout, encoding, masked, losses):
    """Take a block of questions to its losses, and leave its gradient of all parameters."""
    sizes, starts = layout
    W, W_mem, A, TK, TV, R, B = parts_of(theta, sizes, starts)
    dW, dW_mem, dA, dTK, dTV, dR, dB = parts_of(gradient, sizes, starts)
    query, words, key_rows, value_rows, answers = gather_block(questions, data, place_of)
    M = key_rows.shape[1]
    memory = read_memory(words, key_rows, value_rows, W_mem, TK, TV, encoding)
    asked = read_questions(query, W, encoding)
    d_query, d_keys = numpy.empty_like(asked), numpy.empty_like(memory[0])
    d_values, allowed = numpy.empty_like(d_keys), filled_or_all(key_rows, masked)
    back = d_query, d_keys, d_values, dA, dR, dB, dW_mem
    there_and_back(asked, memory, A, R, allowed, B, W_mem, answers, losses, back)
    for n in range(M):
        for e in range(d_keys.shape[1]):
            dTK[n, e], dTV[n, e] = d_keys[n, e], d_values[n, e]
    for n in range(M, len(TK)):  # slots that no question has
        for e in range(d_keys.shape[1]):
            dTK[n, e], dTV[n, e] = 0, 0
    for n in range(M, len(d_keys)):  # a reading is key and value
        for e in range(d_keys.shape[1]):
            d_keys[n, e] += d_values[n, e]
    scatter_words(words, d_keys[M:], encoding, dW_mem)
    for n in range(len(dW)):
        for e in range(dW.shape[1]):
            dW[n, e] = 0
    scatter_words(query, d_query, encoding, dW)


@njit(**INNER_NOT_INLINED)
def _add_up(block, gradients, theta, rule, squares):
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
def _update(block, squares, vectors, rate, rule):
    start = block * PARAMETERS_PER_BLOCK
    some = slice(start, start + PARAMETERS_PER_BLOCK)
    block = Vectors(
        vectors.theta[some],
        vectors.gradient[some],
        vectors.m[some],
        vectors.v[some],
        vectors.noise[some],
    )
    update_block(start, block, clip_scales(squares, rule), rate, rule)


@njit(**NOT_INLINED)
def _take_part(
    counters, rows, data, places, vectors, gradients, layout, plan, rates, rule, stream, results
):
    """Do a thread's share of all steps."""
    theta, noise = vectors.theta, vectors.noise
    encoding, masked, bounds = plan
    losses, penalties, squares = results
    first_step = stream.step_low | stream.step_high << uint64(32)
    blocks, stretches = len(bounds) - 1, len(noise) // PARAMETERS_PER_BLOCK
    for step in range(len(rows)):
        phase = PHASES * step
        piece = next_piece(counters, phase)
        while piece < blocks + stretches:
            if piece < blocks:
                block = slice(bounds[piece], bounds[piece + 1])
                _take_questions(
                    rows[step, block],
                    data,
                    places[piece],
                    theta,
                    gradients[piece],
                    layout,
                    encoding,
                    masked,
                    losses[step, block],
                )
            else:
                start = (piece - blocks) * PARAMETERS_PER_BLOCK
                block = noise[start : start + PARAMETERS_PER_BLOCK]
                fill_noise(block, start, rule, at_step(stream, first_step + uint64(step)))
            piece_done(counters, phase)
            piece = next_piece(counters, phase)
        meet(counters, phase, blocks + stretches)
        phase += 1
        piece = next_piece(counters, phase)
        while piece < stretches:
            penalties[step, piece] = _add_up(piece, gradients, theta, rule, squares[piece])
            piece_done(counters, phase)
            piece = next_piece(counters, phase)
        meet(counters, phase, stretches)
        phase += 1
        piece = next_piece(counters, phase)
        while piece < stretches:
            _update(piece, squares, vectors, rates[step], rule)
            piece_done(counters, phase)
            piece = next_piece(counters, phase)
        meet(counters, phase, stretches)


def take_steps(bow: BowModel, m, v, questions: Questions, rows, first_step, rates, rule):
    """Take consecutive training steps; change the parameters, m and v.

    Parameters
    ----------
    bow : BowModel
    m, v : (N,) float array
        As for `kvnet.updates.noisy_adam`.
    questions : Questions
    rows : (count, B) int64 array
        The questions of each step.
    first_step : int
    rates : sequence of float
        The bias-corrected learning rate of each step.
    rule : UpdateRule

    Returns
    -------
    losses : (count,) float64 array
        Of each step, summed over its batch, the penalty included.
    """
    theta, count = bow.theta, len(rows)
    number, N = theta.dtype.type, theta.size
    bounds, stretches = cut_questions(rows.shape[1]), -(-N // PARAMETERS_PER_BLOCK)
    noise = numpy.empty(stretches * PARAMETERS_PER_BLOCK, number)
    losses, penalties = (
        numpy.empty(rows.shape, number),
        numpy.empty((count, stretches), number),
    )
    gradients = numpy.empty((len(bounds) - 1, N), number)
    run_together(
        _take_part,
        counters_for(PHASES * count),
        rows,
        packed(questions),
        numpy.zeros((len(bounds) - 1, len(questions.sentences)), numpy.int32),
        Vectors(theta, gradients[0], m, v, noise),
        gradients,
        layout_of(bow),
        (bow.encoding, bow.mask_padding, bounds),
        numpy.array(rates, number),
        rule_of(rule, theta.dtype),
        stream_of(rule.random_state, "gradient noise", first_step),
        (losses, penalties, numpy.empty((stretches, len(rule.sections)), number)),
    )
    return losses.sum(axis=1, dtype="float64") + rule.l2_lambda / 2 * penalties.sum(
        axis=1, dtype="float64"
    )
