"""The loss of answers and its gradient in one pass: a block of questions there and back."""

import numpy
from numba import njit

from kvnet.kernels.key_value_hops_by_row import memory_of_block, tables_and_slots
from kvnet.kernels.parts.blocks import cut_questions
from kvnet.kernels.parts.compile_options import INNER, NOT_INLINED, as_int32
from kvnet.kernels.parts.question_block import there_and_back
from kvnet.kernels.parts.slot_products import mask
from kvnet.kernels.parts.threads import counters_for, next_piece, run_together
from kvnet.operations.answer_loss import AnswerGradients
from kvnet.operations.memory import Memory


@njit(**INNER)
def _take_a_block(k, lo, hi, query, memory, A, R, allowed, answer_inputs, losses, back):
    B, table, answers = answer_inputs
    d_query, d_keys, d_values, dA, dR, dB, d_table = back
    block = slice(lo, hi)
    answer_inputs = B, table, answers[block]
    back = d_query[block], d_keys[k], d_values[k], dA[k], dR[k], dB[k], d_table[k]
    memory = memory_of_block(memory, block)
    there_and_back(query[block], memory, A, R, allowed[block], *answer_inputs, losses[block], back)


@njit(**NOT_INLINED)
def _losses_and_gradients(
    counters, bounds, query, memory, A, R, allowed, answer_inputs, losses, back
):
    k = next_piece(counters, 0)
    while k < len(bounds) - 1:
        block = k, bounds[k], bounds[k + 1]
        _take_a_block(*block, query, memory, A, R, allowed, answer_inputs, losses, back)
        k = next_piece(counters, 0)


def answer_loss(xp, query, memory: Memory, A, R, output_map, table, answers):
    """Do what `kvnet.operations.answer_loss` does; the loss's gradient comes with the loss.

    Parameters, returns and source: see `kvnet.operations.answer_loss`.
    """
    N, M, answers = len(query), len(memory.TK), as_int32(answers)
    R, bounds, allowed = numpy.ascontiguousarray(R), cut_questions(N), mask(memory.allowed, N)
    memory = tables_and_slots(memory)
    keys, values, *_ = memory

    def empty(*shape):
        return numpy.empty(shape, A.dtype)

    losses, d_query = empty(N), empty(*query.shape)
    parts = [empty(len(bounds) - 1, *m.shape) for m in (keys, values, A, R, output_map, table)]
    run_together(
        _losses_and_gradients,
        counters_for(1),
        bounds,
        query,
        memory,
        A,
        R,
        allowed,
        (output_map, table, answers),
        losses,
        (d_query, *parts),
    )

    def backward(d_loss):
        d_keys, d_values, dA, dR, dB, d_table = (d_loss * part.sum(axis=0) for part in parts)
        d_memory = Memory(d_keys[M:] + d_values[M:], d_keys[:M], d_values[:M])
        return AnswerGradients(d_loss * d_query, d_memory, dA, dR, dB, d_table)

    return losses.sum(), backward
