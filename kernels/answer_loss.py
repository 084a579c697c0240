"""The loss of the answers and its gradient in one pass over blocks of questions."""

import numpy

from kvnet.kernels.parts.blocks import cut_questions
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import INNER, NOT_INLINED, as_int32
from kvnet.kernels.parts.question_block import Gradients, forward_backward
from kvnet.kernels.parts.stacked_memory import memory_of_block, stack_memory
from kvnet.kernels.parts.threads import next_block, run_on_all_threads
from kvnet.operations.answer_loss import AnswerGradients
from kvnet.operations.memory import Memory


@njit(**INNER)
def _answer_block(k, lo, hi, query, memory, A, R, output_map, table, answers, losses, gradients):
    block, d = slice(lo, hi), gradients
    of_memory = d.keys[k], d.values[k]
    d = Gradients(d.query[block], *of_memory, d.A[k], d.R[k], d.output_map[k], d.table[k])
    query, memory = query[block], memory_of_block(memory, block)
    weights = A, R, output_map, table
    forward_backward(query, memory, *weights, answers[block], losses[block], d)


@njit(**NOT_INLINED)
def _losses_and_gradients(
    counters, bounds, query, memory, A, R, output_map, table, answers, losses, gradients
):
    k, weights = next_block(counters, 0), (A, R, output_map, table)
    while k < len(bounds) - 1:
        block = k, bounds[k], bounds[k + 1]
        _answer_block(*block, query, memory, *weights, answers, losses, gradients)
        k = next_block(counters, 0)


def answer_loss(xp, query, memory: Memory, A, R, output_map, table, answers):
    """Fused form of `kvnet.operations.answer_loss`: the forward pass computes the gradients too.

    Parameters, returns and references: see `kvnet.operations.answer_loss`.
    """
    N, M, dtype = len(query), len(memory.TK), A.dtype
    R, bounds, memory = numpy.ascontiguousarray(R), cut_questions(N), stack_memory(memory)
    arrays = memory.keys, memory.values, A, R, output_map, table
    by_block = [numpy.empty((len(bounds) - 1, *array.shape), dtype) for array in arrays]
    losses, gradients = numpy.empty(N, dtype), Gradients(numpy.empty_like(query), *by_block)
    weights = A, R, output_map, table, as_int32(answers)
    run_on_all_threads(
        _losses_and_gradients, len(bounds) - 1, bounds, query, memory, *weights, losses, gradients
    )

    def backward(d_loss):
        d_keys, d_values, *d_weights = (d_loss * part.sum(axis=0) for part in by_block)
        d_memory = Memory(d_keys[M:] + d_values[M:], d_keys[:M], d_values[:M])
        return AnswerGradients(d_loss * gradients.query, d_memory, *d_weights)

    return losses.sum(), backward
