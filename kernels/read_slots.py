"""The memory read over all hops, a block of questions at a time; a slot costs dots, no product."""

import numpy
from numba import int64, njit, prange

from kvnet.kernels.compilation import (
    OPTIONS,
    PARALLEL,
    add_up,
    copy_into,
    cut,
    multiply,
    numbers,
)
from kvnet.kernels.slots import (
    add_dots,
    add_sums,
    filled_slots,
    gather_empty_row,
    gather_row,
    mask,
    occurrences,
)
from kvnet.kernels.softmax import softmax_backward_rows, softmax_rows


@njit(**OPTIONS)
def forward_block(
    query,
    key_readings,
    value_readings,
    TK,
    TV,
    A,
    R,
    key_rows,
    value_rows,
    filled,
    allowed,
    left,
    u,
):
    """Hop for some questions, to `u`; `left` is filled with what the way back needs."""
    us, ws, ps, reads, ss = left
    B = len(query)
    A_T, TK_T = numpy.ascontiguousarray(A.T), numpy.ascontiguousarray(TK.T)
    multiply(query, A_T, us[:B])
    for h in range(len(R)):
        rows, following = slice(h * B, (h + 1) * B), slice((h + 1) * B, (h + 2) * B)
        w, p, read, s = ws[rows], ps[rows], reads[rows], ss[rows]
        multiply(us[rows], A, w)  # (B, D)
        multiply(w, TK_T, p)  # (B, M)
        add_dots(key_rows, filled, key_readings, w, p)
        softmax_rows(p, allowed)
        multiply(p, TV, read)  # (B, D)
        add_sums(value_rows, filled, value_readings, p, read)
        multiply(read, A_T, s)
        add_up(us[rows], s)  # s = u + o, (B, F)
        multiply(s, R[h].T, us[following] if h + 1 < len(R) else u)


@njit(**OPTIONS)
def backward_block(
    du, query, key_readings, value_readings, TK, TV, A, R, key_rows, value_rows, filled, left, back
):
    """Go back through the hops of some questions, to `back`.

    Every matrix's gradient is a sum over questions and hops of outer products, so one product
    makes it from what the hops leave, stood one under the other.
    """
    us, ws, ps, reads, ss = left
    d_query, d_reads, d_scores, dTK, dTV, dA, dR = back
    B, H = len(query), len(R)
    F, D = A.shape
    A_T, TV_T = numpy.ascontiguousarray(A.T), numpy.ascontiguousarray(TV.T)
    into_A = numpy.empty(((2 * H + 1) * B, F), A.dtype)  # ds and u of each hop, du of the first
    out_of_A = numpy.empty(((2 * H + 1) * B, D), A.dtype)  # read, dw and the query
    copy_into(out_of_A, reads)
    copy_into(into_A[H * B :], us)
    du = du.copy()
    for h in range(H - 1, -1, -1):
        rows = slice(h * B, (h + 1) * B)
        ds, dw = into_A[rows], out_of_A[(H + h) * B : (H + h + 1) * B]
        d_read, dp = d_reads[rows], d_scores[rows]
        multiply(du.T, ss[rows], dR[h])
        multiply(du, R[h], ds)  # (B, F)
        multiply(ds, A, d_read)  # (B, D)
        multiply(d_read, TV_T, dp)  # (B, M)
        add_dots(value_rows, filled, value_readings, d_read, dp)
        softmax_backward_rows(ps[rows], dp)
        multiply(dp, TK, dw)  # (B, D)
        add_sums(key_rows, filled, key_readings, dp, dw)
        multiply(dw, A_T, du)
        add_up(ds, du)  # u goes into the scores and into the sum s
    copy_into(into_A[2 * H * B :], du)
    copy_into(out_of_A[2 * H * B :], query)
    multiply(du, A, d_query)
    multiply(d_scores.T, ws, dTK)
    multiply(ps.T, d_reads, dTV)
    multiply(into_A.T, out_of_A, dA)


@njit(**OPTIONS)
def memory_of_block(inputs, block):
    """Return what a block's questions take of what `read_slots` takes."""
    query, key_readings, value_readings, TK, TV, A, R, key_rows, value_rows, filled = inputs
    slots = key_rows[block], value_rows[block], filled[block]
    return query[block], key_readings, value_readings, TK, TV, A, R, *slots


@njit(**OPTIONS)
def _hop_a_block(lo, hi, inputs, allowed, left, u, attention):
    us, ws, ps, reads, ss = left
    H, block = len(attention), slice(lo, hi)
    hops = slice(H * lo, H * hi)
    left_of_block = us[hops], ws[hops], ps[hops], reads[hops], ss[hops]
    forward_block(*memory_of_block(inputs, block), allowed[block], left_of_block, u[block])
    for h in range(H):
        copy_into(attention[h, block], ps[H * lo + h * (hi - lo) : H * hi])


@njit(**OPTIONS)
def _hop_back_a_block(k, lo, hi, du, inputs, left, back):
    us, ws, ps, reads, ss = left
    d_query, d_reads, d_scores, dTK, dTV, dA, dR = back
    block, hops = slice(lo, hi), slice(dR.shape[1] * lo, dR.shape[1] * hi)
    left_of_block = us[hops], ws[hops], ps[hops], reads[hops], ss[hops]
    back_of_block = d_query[block], d_reads[hops], d_scores[hops], dTK[k], dTV[k], dA[k], dR[k]
    backward_block(du[block], *memory_of_block(inputs, block), left_of_block, back_of_block)


# Loops over blocks take their arrays in tuples and cut them in a function of their own: arrays cut
# in the loop itself take Numba several times as long to compile.
@njit(**PARALLEL)
def _forward(bounds, inputs, allowed, left, u, attention):
    for k in prange(len(bounds) - 1):
        _hop_a_block(bounds[k], bounds[k + 1], inputs, allowed, left, u, attention)


@njit(**PARALLEL)
def _backward(bounds, du, inputs, left, back):
    for k in prange(len(bounds) - 1):
        _hop_back_a_block(int64(k), bounds[k], bounds[k + 1], du, inputs, left, back)


@njit(**OPTIONS)
def _sum_a_row(row, held, filled, hops, p, w, d_readings):
    starts, questions, slots = held
    d_reading, held_by = d_readings[row], slice(starts[row], starts[row + 1])
    for d in range(len(d_reading)):
        d_reading[d] = 0
    gather_row(d_reading, questions[held_by], slots[held_by], hops, p, w)
    if row == 0:
        gather_empty_row(d_reading, filled, hops, p, w)


@njit(**PARALLEL)
def sum_by_row(
    bounds, key_rows, value_rows, same, filled, ws, ps, d_reads, d_scores, d_keys, d_values
):
    """Sum, for each reading, what the slots that hold it say.

    For a key ``sum_h d_scores_h[b, i] w_h[b]``, for a value ``sum_h p_h[b, i] d_read_h[b]``.
    `same` says that the rows of keys and values are the same.
    """
    held_as_key = occurrences(key_rows, filled, len(d_keys))
    held_as_value = held_as_key if same else occurrences(value_rows, filled, len(d_values))
    B = len(key_rows)
    H = len(ps) // B
    first_hop, hop_stride = numpy.empty(B, numpy.int64), numpy.empty(B, numpy.int64)
    for k in range(len(bounds) - 1):
        for b in range(bounds[k], bounds[k + 1]):
            first_hop[b], hop_stride[b] = (H - 1) * bounds[k] + b, bounds[k + 1] - bounds[k]
    for row in prange(max(len(d_keys), len(d_values))):
        hops = first_hop, hop_stride, H
        if row < len(d_keys):
            _sum_a_row(int64(row), held_as_key, filled, hops, d_scores, ws, d_keys)
        if row < len(d_values):
            _sum_a_row(int64(row), held_as_value, filled, hops, ps, d_reads, d_values)


def read_slots(
    xp, query, key_readings, value_readings, TK, TV, A, hop_matrices, key_rows, value_rows, allowed
):
    """Do what `kvnet.operations.read_slots` does, with ``A`` moved to the query's side.

    ``u · k Aᵀ = (u A) · k`` and ``sum_i p_i v_i Aᵀ = (sum_i p_i v_i) Aᵀ``: A maps one vector a
    question and hop, not every slot. The temporal encodings are the same for all questions, so
    their share is one dense product; the readings' share follows the slots that hold something.

    Parameters, returns and source: see `kvnet.operations.read_slots`.
    """
    (B, D), M, F, H = query.shape, len(TK), len(A), len(hop_matrices)
    same = key_rows is value_rows
    key_rows, value_rows = numbers(key_rows), numbers(value_rows)
    R, filled, bounds = numpy.array(hop_matrices), filled_slots(key_rows, value_rows), cut(B)
    inputs = query, key_readings, value_readings, TK, TV, A, R, key_rows, value_rows, filled

    def empty(*shape):
        return numpy.empty(shape, A.dtype)

    u, attention = empty(B, F), empty(H, B, M)
    # What the hops leave: u, w, p, what was read, s; a block's hops, then the next block's.
    left = tuple(empty(H * B, size) for size in (F, D, M, D, F))
    _forward(bounds, inputs, mask(allowed, B), left, u, attention)
    _, ws, ps, _, _ = left

    def backward(du):
        du = numpy.ascontiguousarray(du)
        d_reads, d_scores, d_query = empty(H * B, D), empty(H * B, M), empty(B, D)
        parts = [empty(len(bounds) - 1, *matrix.shape) for matrix in (TK, TV, A, R)]
        _backward(bounds, du, inputs, left, (d_query, d_reads, d_scores, *parts))
        hops_left = ws, ps, d_reads, d_scores
        d_readings = empty(*key_readings.shape), empty(*value_readings.shape)
        sum_by_row(bounds, key_rows, value_rows, same, filled, *hops_left, *d_readings)
        dTK, dTV, dA, dR = (part.sum(axis=0) for part in parts)
        return d_query, *d_readings, dTK, dTV, dA, list(dR)

    return u, attention, backward
