"""Training steps of the bow reader in one call: no Python and no start of threads between them.

A step has three phases, each cut into pieces that threads share out (`kvnet.kernels.parts.threads`):

1. a block of questions goes to its losses and back, and leaves a gradient of all parameters; beside
   them, the noise is drawn;
2. a stretch of the parameters adds up the blocks' gradients and the penalty's, and its squares;
3. a stretch is updated, once the norms that it is clipped by are known.
"""

import numpy
from numba import njit, uint64

from kvnet.counter_random import WORD
from kvnet.kernels.noisy_adam import NUMBERS_A_BLOCK, as_bounds, fill_noise, update_piece
from kvnet.kernels.parts.bow_arguments import BowModel, Questions
from kvnet.kernels.parts.compilation import INNER, INNER_NOT_INLINED, NOT_INLINED, cut_questions
from kvnet.kernels.parts.philox import counter_and_key
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
from kvnet.kernels.parts.word_sums import scatter_words
from kvnet.updates.noisy_adam import BETA_1, BETA_2

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


@njit(**INNER)
def _overlap(section, piece):
    """Return the part of an array that falls into a piece of the vector; maybe none."""
    first = piece * NUMBERS_A_BLOCK
    return slice(max(section[0], first), max(first, min(section[1], first + NUMBERS_A_BLOCK)))


@njit(**INNER_NOT_INLINED)
def _add_up(piece, sections, gradients, theta, l2_lambda, squares):
    """Leave a piece of the whole gradient in the first block's, and each array's sum of squares.

    Returns
    -------
    penalty : float
        The sum of the parameters' squares.
    """
    whole = slice(piece * NUMBERS_A_BLOCK, (piece + 1) * NUMBERS_A_BLOCK)
    total, numbers = gradients[0, whole], theta[whole]
    for k in range(1, len(gradients)):
        part = gradients[k, whole]
        for i in range(len(total)):
            total[i] += part[i]
    penalty = theta[0] * 0
    for i in range(len(total)):
        penalty += numbers[i] * numbers[i]
        total[i] += l2_lambda * numbers[i]
    for s in range(len(sections)):
        part, square = gradients[0, _overlap(sections[s], piece)], theta[0] * 0
        for i in range(len(part)):
            square += part[i] * part[i]
        squares[s] = square
    return penalty


@njit(**INNER_NOT_INLINED)
def _update(piece, sections, squares, clip_norm, vectors, adam_numbers):
    theta, gradient, m, v, noise = vectors
    scales = numpy.empty(len(sections), theta.dtype)
    for s in range(len(sections)):
        total = squares[0, s]
        for other in range(1, len(squares)):
            total += squares[other, s]
        scales[s] = clip_norm / max(numpy.sqrt(total), clip_norm)
    start = piece * NUMBERS_A_BLOCK
    whole = slice(start, start + NUMBERS_A_BLOCK)
    vectors = theta[whole], gradient[whole], m[whole], v[whole], noise[whole]
    update_piece(start, sections, scales, vectors, adam_numbers)


@njit(**NOT_INLINED)
def _take_part(counters, rows, data, places, vectors, gradients, layout, plan, rule, results):
    """Do a thread's share of all steps."""
    theta, m, v, noise = vectors
    encoding, masked, bounds, sections, silent = plan
    rates, gain_1, gain_2, epsilon, l2_lambda, clip_norm, deviation, random = rule
    losses, penalties, squares = results
    purpose, first_step, key_low, key_high = random
    blocks, stretches = len(bounds) - 1, len(noise) // NUMBERS_A_BLOCK
    updated = theta, gradients[0], m, v, noise
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
                start = (piece - blocks) * NUMBERS_A_BLOCK
                count = first_step + uint64(step)
                where = purpose, count & uint64(WORD), count >> uint64(32), key_low, key_high
                fill_noise(noise[start : start + NUMBERS_A_BLOCK], start, silent, deviation, where)
            piece_done(counters, phase)
            piece = next_piece(counters, phase)
        meet(counters, phase, blocks + stretches)
        phase += 1
        piece = next_piece(counters, phase)
        while piece < stretches:
            penalties[step, piece] = _add_up(
                piece, sections, gradients, theta, l2_lambda, squares[piece]
            )
            piece_done(counters, phase)
            piece = next_piece(counters, phase)
        meet(counters, phase, stretches)
        phase += 1
        adam_numbers = gain_1, gain_2, rates[step], epsilon
        piece = next_piece(counters, phase)
        while piece < stretches:
            _update(piece, sections, squares, clip_norm, updated, adam_numbers)
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
    bounds, stretches = cut_questions(rows.shape[1]), -(-N // NUMBERS_A_BLOCK)
    noise = numpy.empty(stretches * NUMBERS_A_BLOCK, number)
    losses, penalties = (
        numpy.empty(rows.shape, number),
        numpy.empty((count, stretches), number),
    )
    purpose, _, _, *key = counter_and_key(rule.random_state, "gradient noise", 0)
    run_together(
        _take_part,
        counters_for(PHASES * count),
        rows,
        packed(questions),
        numpy.zeros((len(bounds) - 1, len(questions.sentences)), numpy.int32),
        (theta, m, v, noise),
        numpy.empty((len(bounds) - 1, N), number),
        layout_of(bow),
        (
            bow.encoding,
            bow.mask_padding,
            bounds,
            as_bounds(rule.sections),
            as_bounds(rule.silent),
        ),
        (
            numpy.array(rates, number),
            number(1 - BETA_1),
            number(1 - BETA_2),
            number(rule.epsilon),
            number(rule.l2_lambda),
            number(rule.clip_norm),
            number(rule.noise_deviation),
            numpy.array([purpose, first_step, *key], numpy.uint64),
        ),
        (losses, penalties, numpy.empty((stretches, len(rule.sections)), number)),
    )
    return losses.sum(axis=1, dtype="float64") + rule.l2_lambda / 2 * penalties.sum(
        axis=1, dtype="float64"
    )
