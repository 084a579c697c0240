"""The memory read over all hops, a block of questions at a time."""

import numpy
from numba import njit

from kvnet.kernels.parts.blocks import cut_questions
from kvnet.kernels.parts.compile_options import INNER, NOT_INLINED, as_int32
from kvnet.kernels.parts.matrices import copy_into, transposed
from kvnet.kernels.parts.question_block import backward_block, forward_block, sentences_are_shared
from kvnet.kernels.parts.slot_products import filled_slots, mask
from kvnet.kernels.parts.threads import counters_for, next_piece, run_together
from kvnet.operations.memory import Memory


def tables_and_slots(memory: Memory):
    """Return a memory as `question_block` takes it.

    Returns
    -------
    memory : tuple
        Keys and values ``[T; r]``, the rows that slots hold of each, how many are filled, and
        whether questions share enough of the readings.
    """
    keys, values = (numpy.concatenate((T, memory.readings)) for T in (memory.TK, memory.TV))
    key_rows, value_rows = as_int32(memory.key_rows), as_int32(memory.value_rows)
    filled = filled_slots(key_rows, value_rows)
    shared = sentences_are_shared(filled, len(memory.readings))
    return keys, values, key_rows, value_rows, filled, shared


@njit(**INNER)
def memory_of_block(memory, block):
    """Return the memory of some of the questions."""
    keys, values, key_rows, value_rows, filled, shared = memory
    return keys, values, key_rows[block], value_rows[block], filled[block], shared


@njit(**INNER)
def _left_of_block(left, H, lo, hi):
    into_A, out_of_A, ws, ps, shares, ss = left
    both, hops = slice((2 * H + 1) * lo, (2 * H + 1) * hi), slice(H * lo, H * hi)
    return into_A[both], out_of_A[both], ws[hops], ps[hops], shares[hops], ss[hops]


@njit(**INNER)
def _hop_a_block(lo, hi, query, memory, A, R, allowed, left, u, attention):
    block, H = slice(lo, hi), len(R)
    left = _left_of_block(left, H, lo, hi)
    memory = memory_of_block(memory, block)
    forward_block(query[block], memory, A, transposed(A), R, allowed[block], left, u[block])
    for h in range(H):
        copy_into(attention[h, block], left[3][h * (hi - lo) :])


@njit(**INNER)
def _hop_back_a_block(k, lo, hi, du, query, memory, A, R, left, back):
    d_query, d_keys, d_values, dA, dR = back
    block = slice(lo, hi)
    left, memory = _left_of_block(left, len(R), lo, hi), memory_of_block(memory, block)
    back = d_query[block], d_keys[k], d_values[k], dA[k], dR[k]
    backward_block(du[block], query[block], memory, A, transposed(A), R, left, back)


@njit(**NOT_INLINED)
def _forward(counters, bounds, query, memory, A, R, allowed, left, u, attention):
    k = next_piece(counters, 0)
    while k < len(bounds) - 1:
        _hop_a_block(bounds[k], bounds[k + 1], query, memory, A, R, allowed, left, u, attention)
        k = next_piece(counters, 0)


@njit(**NOT_INLINED)
def _backward(counters, bounds, du, query, memory, A, R, left, back):
    k = next_piece(counters, 0)
    while k < len(bounds) - 1:
        _hop_back_a_block(k, bounds[k], bounds[k + 1], du, query, memory, A, R, left, back)
        k = next_piece(counters, 0)


def key_value_hops_by_row(xp, query, memory: Memory, A, R):
    """Do what `kvnet.operations.key_value_hops_by_row` does; see `kvnet.kernels.parts.question_block`.

    Parameters, returns and source: see `kvnet.operations.key_value_hops_by_row`.
    """
    (B, D), M, F, H = query.shape, len(memory.TK), len(A), len(R)
    R, bounds, allowed = numpy.ascontiguousarray(R), cut_questions(B), mask(memory.allowed, B)
    memory = tables_and_slots(memory)
    keys, values, *_, shared = memory

    def empty(*shape):
        return numpy.empty(shape, A.dtype)

    u, attention = empty(B, F), empty(H, B, M)
    # What the hops leave; a block's hops, then the next block's.
    left = tuple(empty((2 * H + 1) * B, size) for size in (F, D))
    left += tuple(empty(H * B, size) for size in (D, M, shared * len(keys), F))
    everything = query, memory, A, R, allowed, left, u, attention
    run_together(_forward, counters_for(1), bounds, *everything)

    def backward(du):
        du, d_query = numpy.ascontiguousarray(du), empty(B, D)
        parts = [empty(len(bounds) - 1, *matrix.shape) for matrix in (keys, values, A, R)]
        everything = du, query, memory, A, R, left, (d_query, *parts)
        run_together(_backward, counters_for(1), bounds, *everything)
        d_keys, d_values, dA, dR = (part.sum(axis=0) for part in parts)
        return d_query, Memory(d_keys[M:] + d_values[M:], d_keys[:M], d_values[:M]), dA, dR

    return u, attention, backward
