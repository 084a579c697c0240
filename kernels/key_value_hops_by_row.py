"""The hops over a key-value memory, a block of questions at a time."""

import numpy

from kvnet.kernels.parts.blocks import cut_questions
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import INNER, NOT_INLINED
from kvnet.kernels.parts.matrices import copy_into, transposed
from kvnet.kernels.parts.question_block import (
    Gradients,
    SavedHops,
    backward_block,
    forward_block,
)
from kvnet.kernels.parts.stacked_memory import memory_of_block, stack_memory
from kvnet.kernels.parts.threads import next_block, run_on_all_threads
from kvnet.operations.memory import Memory


@njit(**INNER)
def _saved_of_block(saved, H, lo, hi):
    both, hops = slice((2 * H + 1) * lo, (2 * H + 1) * hi), slice(H * lo, H * hi)
    return SavedHops(
        saved.A_left[both],
        saved.A_right[both],
        saved.queries[hops],
        saved.attention[hops],
        saved.row_weights[hops],
        saved.sums[hops],
    )


@njit(**INNER)
def _hop_block(lo, hi, query, memory, A, R, saved, u, attention):
    block, H = slice(lo, hi), len(R)
    saved, memory = _saved_of_block(saved, H, lo, hi), memory_of_block(memory, block)
    forward_block(query[block], memory, A, transposed(A), R, saved, u[block])
    for h in range(H):
        copy_into(attention[h, block], saved.attention[h * (hi - lo) :])


@njit(**INNER)
def _hop_backward_block(k, lo, hi, du, query, memory, A, R, saved, gradients):
    block, d = slice(lo, hi), gradients
    saved, memory = _saved_of_block(saved, len(R), lo, hi), memory_of_block(memory, block)
    d = Gradients(d.query[block], d.keys[k], d.values[k], d.A[k], d.R[k], None, None)
    backward_block(du[block], query[block], memory, A, transposed(A), R, saved, d)


@njit(**NOT_INLINED)
def _forward(counters, bounds, query, memory, A, R, saved, u, attention):
    k = next_block(counters, 0)
    while k < len(bounds) - 1:
        _hop_block(bounds[k], bounds[k + 1], query, memory, A, R, saved, u, attention)
        k = next_block(counters, 0)


@njit(**NOT_INLINED)
def _backward(counters, bounds, du, query, memory, A, R, saved, gradients):
    k = next_block(counters, 0)
    while k < len(bounds) - 1:
        _hop_backward_block(k, bounds[k], bounds[k + 1], du, query, memory, A, R, saved, gradients)
        k = next_block(counters, 0)


def key_value_hops_by_row(xp, query, memory: Memory, A, R):
    """Fused form of `kvnet.operations.key_value_hops_by_row`: no slot is filled or multiplied.

    `kvnet.kernels.parts.question_block` has the algorithm.

    Parameters, returns and references: see `kvnet.operations.key_value_hops_by_row`.
    """
    (B, D), M, F, H = query.shape, len(memory.TK), len(A), len(R)
    R, bounds, memory = numpy.ascontiguousarray(R), cut_questions(B), stack_memory(memory)

    def empty(*shape):
        return numpy.empty(shape, A.dtype)

    u, attention = empty(B, F), empty(H, B, M)
    # The hops of a block, then those of the next.
    n, rows = (2 * H + 1) * B, memory.shared * len(memory.keys)
    saved = SavedHops(empty(n, F), empty(n, D), *(empty(H * B, size) for size in (D, M, rows, F)))
    hops = query, memory, A, R, saved
    run_on_all_threads(_forward, len(bounds) - 1, bounds, *hops, u, attention)

    def backward(du):
        weights = memory.keys, memory.values, A, R
        by_block = [empty(len(bounds) - 1, *array.shape) for array in weights]
        gradients = Gradients(empty(B, D), *by_block, None, None)
        du = numpy.ascontiguousarray(du)
        run_on_all_threads(_backward, len(bounds) - 1, bounds, du, *hops, gradients)
        d_keys, d_values, dA, dR = (part.sum(axis=0) for part in by_block)
        d_memory = Memory(d_keys[M:] + d_values[M:], d_keys[:M], d_values[:M])
        return gradients.query, d_memory, dA, dR

    return u, attention, backward
