"""Answers to all questions of a data set in one call, a block of questions at a time."""

import numpy

from kvnet.kernels.parts.blocks import cut
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
from kvnet.kernels.parts.matrices import multiply, transposed
from kvnet.kernels.parts.question_block import empty_saved_hops, forward_block
from kvnet.kernels.parts.threads import next_block, run_on_all_threads

QUESTIONS_PER_BLOCK = 50


@njit(**INNER_NOT_INLINED)
def _answer_block(lo, hi, questions, same, model, table_T, words):
    p = parameters_of(model.theta, model)
    new_rows = numpy.zeros(len(questions.sentences), numpy.int32)
    block = gather_block(numpy.arange(lo, hi), questions, same, new_rows)
    memory, query = read_memory(block, p, model), read_query(block, p, model)
    saved = empty_saved_hops(len(p.R), len(query), p.A, memory)
    u = numpy.empty((len(query), len(p.A)), query.dtype)
    forward_block(query, memory, p.A, transposed(p.A), p.R, saved, u)
    h = numpy.empty((len(u), p.output_map.shape[1]), u.dtype)
    scores = numpy.empty((len(u), table_T.shape[1]), u.dtype)
    multiply(u, p.output_map, h)
    multiply(h, table_T, scores)
    for b in range(len(scores)):
        row, best = scores[b], 0
        row[0] = 0  # the nil word's, whatever its embedding contains
        for word in range(1, len(row)):
            if row[word] > row[best]:
                best = word
        words[lo + b] = best


@njit(**NOT_INLINED)
def _answer(counters, bounds, questions, same, model, table_T, words):
    """Answer a thread's share of the blocks."""
    k = next_block(counters, 0)
    while k < len(bounds) - 1:
        _answer_block(bounds[k], bounds[k + 1], questions, same, model, table_T, words)
        k = next_block(counters, 0)


def serves(bow: BowModel, questions: Questions) -> bool:
    """Return whether `answer` can be used: on NumPy, always."""
    return True


def answer(bow: BowModel, questions: Questions) -> numpy.ndarray:
    """Answer every question with the most probable word.

    Parameters
    ----------
    bow : BowModel
    questions : Questions
        Their answers are not used.

    Returns
    -------
    words : (N,) int64 array
        Word ids; the lowest of those with the same score.
    """
    N, same = len(questions.queries), questions.values is questions.keys
    words, bounds = numpy.empty(N, numpy.int64), cut(N, QUESTIONS_PER_BLOCK)
    model = compiled_model(bow)
    (V, E, *_), start = model.sizes, model.starts.W_mem
    table_T = transposed(bow.theta[start : start + V * E].reshape(V, E))
    arguments = questions, same, model, table_T, words
    run_on_all_threads(_answer, len(bounds) - 1, bounds, *arguments)
    return words
