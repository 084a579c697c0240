"""Answers to all questions of a data set in one call, a block of questions at a time."""

import numpy
from numba import njit

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.bow_arguments import BowModel, Questions
from kvnet.kernels.parts.compile_options import INNER_NOT_INLINED, NOT_INLINED
from kvnet.kernels.parts.matrices import multiply, transposed
from kvnet.kernels.parts.question_block import forward_block, room_for_hops
from kvnet.kernels.parts.questions import (
    filled_or_all,
    gather_block,
    layout_of,
    packed,
    parts_of,
    read_memory,
    read_questions,
)
from kvnet.kernels.parts.threads import counters_for, next_piece, run_together
from kvnet.parameter_vector import by_name

QUESTIONS_A_BLOCK = 50


@njit(**INNER_NOT_INLINED)
def _answer_a_block(lo, hi, data, theta, layout, table_T, encoding, masked, words):
    W, W_mem, A, TK, TV, R, B = parts_of(theta, *layout)
    questions = numpy.arange(lo, hi)
    place_of = numpy.zeros(len(data[0]), numpy.int32)
    query, sentences, key_rows, value_rows, _ = gather_block(questions, data, place_of)
    memory = read_memory(sentences, key_rows, value_rows, W_mem, TK, TV, encoding)
    left = room_for_hops(len(R), len(query), A, memory)
    u = numpy.empty((len(query), len(B)), B.dtype)
    allowed = filled_or_all(key_rows, masked)
    asked = read_questions(query, W, encoding)
    forward_block(asked, memory, A, transposed(A), R, allowed, left, u)
    h = numpy.empty((len(u), B.shape[1]), B.dtype)
    scores = numpy.empty((len(u), table_T.shape[1]), B.dtype)
    multiply(u, B, h)
    multiply(h, table_T, scores)
    for b in range(len(scores)):
        row, best = scores[b], 0
        row[0] = 0  # the nil word's, whatever its embedding holds
        for word in range(1, len(row)):
            if row[word] > row[best]:
                best = word
        words[lo + b] = best


@njit(**NOT_INLINED)
def _answer_part(counters, bounds, data, theta, layout, table_T, encoding, masked, words):
    """Answer a thread's share of the blocks."""
    piece = next_piece(counters, 0)
    while piece < len(bounds) - 1:
        block = bounds[piece], bounds[piece + 1]
        _answer_a_block(*block, data, theta, layout, table_T, encoding, masked, words)
        piece = next_piece(counters, 0)


def serves(bow: BowModel, questions: Questions) -> bool:
    """Return whether the kernel holds a question: any, on NumPy."""
    return True


def answer(bow: BowModel, questions: Questions) -> numpy.ndarray:
    """Answer questions with the most probable words; see `kvnet.training.prediction.predict_words`.

    Returns
    -------
    words : (N,) int64 array
    """
    count = len(questions.queries)
    words, bounds = numpy.empty(count, numpy.int64), cut(count, QUESTIONS_A_BLOCK)
    layout = layout_of(bow)
    table_T = transposed(by_name(bow.theta, bow.shapes)["W_mem"])
    run_together(
        _answer_part,
        counters_for(1),
        bounds,
        packed(questions),
        bow.theta,
        layout,
        table_T,
        bow.encoding,
        bow.mask_padding,
        words,
    )
    return words
