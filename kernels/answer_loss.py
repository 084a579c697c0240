"""The loss of answers and its gradient in one pass: a block of questions there and back."""

import numpy
from numba import int64, njit, prange

from kvnet.kernels.compilation import OPTIONS, PARALLEL, add_up, cut, multiply, numbers
from kvnet.kernels.read_slots import backward_block, forward_block, memory_of_block, sum_by_row
from kvnet.kernels.slots import filled_slots, mask
from kvnet.kernels.word_cross_entropy import entropy_rows


@njit(**OPTIONS)
def _there_and_back(k, lo, hi, inputs, allowed, answer_inputs, losses, left, parts):
    """Take block k's questions to their losses and back.

    Filled are `losses`; `left`, what the readings' gradients are made from; and block k's `parts`
    of the matrices' gradients.
    """
    B, table, answers = answer_inputs
    d_query, all_ws, all_ps, all_d_reads, all_d_scores = left
    dTK, dTV, dA, dR, dB, d_table = parts
    H, block = dR.shape[1], slice(lo, hi)
    hops = slice(H * lo, H * hi)
    memory, ws, ps = memory_of_block(inputs, block), all_ws[hops], all_ps[hops]
    us = numpy.empty((len(ws), len(B)), B.dtype)
    reads, ss = numpy.empty_like(ws), numpy.empty_like(us)
    left_of_block = us, ws, ps, reads, ss
    u = numpy.empty((hi - lo, len(B)), B.dtype)
    forward_block(*memory, allowed[block], left_of_block, u)
    h, scores = (
        numpy.empty((len(u), B.shape[1]), B.dtype),
        numpy.empty((len(u), len(table)), B.dtype),
    )
    multiply(u, B, h)
    multiply(h, table.T, scores)
    entropy_rows(scores, answers[block], losses[block])  # from here on, their gradient
    multiply(scores.T, h, d_table[k])
    dh, du = numpy.empty_like(h), numpy.empty_like(u)
    multiply(scores, table, dh)
    multiply(u.T, dh, dB[k])
    sums = dTK[k], dTV[k], dA[k], dR[k]
    back = d_query[block], all_d_reads[hops], all_d_scores[hops], *sums
    multiply(dh, B.T, du)
    backward_block(du, *memory, left_of_block, back)


@njit(**OPTIONS)
def _add_up_parts(parts):
    dTK, dTV, dA, dR, dB, d_table = parts
    for k in range(1, len(dTK)):  # in this order, so that sums do not hang on the threads
        for part in (dTK, dTV, dA, dB, d_table):
            add_up(part[k], part[0])
        for h in range(dR.shape[1]):
            add_up(dR[k, h], dR[0, h])


@njit(**PARALLEL)
def _losses_and_gradients(
    bounds, inputs, same, allowed, answer_inputs, losses, left, parts, d_readings
):
    for k in prange(len(bounds) - 1):
        _there_and_back(
            int64(k), bounds[k], bounds[k + 1], inputs, allowed, answer_inputs, losses, left, parts
        )
    _add_up_parts(parts)
    _, _, _, _, _, _, _, key_rows, value_rows, filled = inputs
    _, ws, ps, d_reads, d_scores = left
    sum_by_row(bounds, key_rows, value_rows, same, filled, ws, ps, d_reads, d_scores, *d_readings)


def answer_loss(
    xp,
    query,
    key_readings,
    value_readings,
    TK,
    TV,
    A,
    hop_matrices,
    key_rows,
    value_rows,
    allowed,
    B,
    table,
    answers,
):
    """Do what `kvnet.operations.answer_loss` does; the loss's gradient comes with the loss.

    Parameters, returns and source: see `kvnet.operations.answer_loss`.
    """
    (N, D), M, H = query.shape, len(TK), len(hop_matrices)
    same = key_rows is value_rows
    key_rows, value_rows, answers = numbers(key_rows), numbers(value_rows), numbers(answers)
    R, filled, bounds = numpy.array(hop_matrices), filled_slots(key_rows, value_rows), cut(N)
    inputs = query, key_readings, value_readings, TK, TV, A, R, key_rows, value_rows, filled

    def empty(*shape):
        return numpy.empty(shape, A.dtype)

    losses, left = empty(N), (empty(N, D), *(empty(H * N, size) for size in (D, M, D, M)))
    parts = tuple(empty(len(bounds) - 1, *matrix.shape) for matrix in (TK, TV, A, R, B, table))
    d_readings = empty(*key_readings.shape), empty(*value_readings.shape)
    _losses_and_gradients(
        bounds, inputs, same, mask(allowed, N), (B, table, answers), losses, left, parts, d_readings
    )

    def backward(d_loss):
        grads = [left[0], *d_readings, *(part[0] for part in parts)]
        if d_loss != 1:
            grads = [d_loss * gradient for gradient in grads]
        *d_inputs, dR, dB, d_table = grads
        return *d_inputs, list(dR), dB, d_table

    return losses.sum(), backward
