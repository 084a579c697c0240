"""A block of questions: the hops, the losses and the backward pass, without a product per slot.

``A`` maps the query instead of the slots: ``u · k Aᵀ = (u A) · k`` and ``sum_i p_i v_i Aᵀ =
(sum_i p_i v_i) Aᵀ`` need one product per question and hop. The rest has two forms. Where questions
share their sentences, a query is multiplied by the whole table and each slot picks its own result;
otherwise there is one dot product per slot.
"""

from typing import NamedTuple

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import INNER
from kvnet.kernels.parts.matrices import add_up, copy_into, multiply, transposed
from kvnet.kernels.parts.slot_products import add_dots, add_sums, gather_rows
from kvnet.kernels.parts.softmax_rows import (
    cross_entropy_rows,
    softmax_backward_rows,
    softmax_rows,
)


class SavedHops(NamedTuple):
    """What a block's hops save for the backward pass, all questions of hop 1, then of hop 2, etc.

    Attributes
    ----------
    A_left : ((2 H + 1) B, F) float array
        ds of each hop, u of each hop, and du of the first query: dA is ``A_leftᵀ A_right``.
    A_right : ((2 H + 1) B, D) float array
        In the same order: the vector read, dw, and the query.
    queries : (H B, D) float array
        w, the query ``u A`` that is compared with slots.
    attention : (H B, M) float array
    row_weights : (H B, M + U) float array
        The attention on each row of the table; no columns if the memory is not shared.
    sums : (H B, F) float array
        ``s = u + o``.
    """

    A_left: numpy.ndarray
    A_right: numpy.ndarray
    queries: numpy.ndarray
    attention: numpy.ndarray
    row_weights: numpy.ndarray
    sums: numpy.ndarray


class Gradients(NamedTuple):
    """The gradients of `forward_backward`; `backward_block` does not use the last two.

    Those of keys and values are of the tables of a `StackedMemory`.
    """

    query: numpy.ndarray
    keys: numpy.ndarray
    values: numpy.ndarray
    A: numpy.ndarray
    R: numpy.ndarray
    output_map: numpy.ndarray | None
    table: numpy.ndarray | None


@njit(**INNER)
def _match_matrix(table, memory):
    """Return the matrix that `_match` multiplies by: the table, or its slots, transposed."""
    return transposed(table if memory.shared else table[: memory.key_rows.shape[1]])


@njit(**INNER)
def _match(w, table, matrix, rows, filled, shared, scores):
    """Score slots: ``scores[b, i] = w_b · (T_i + r[rows[b, i]])``."""
    M = scores.shape[1]
    if not shared:
        multiply(w, matrix, scores)
        add_dots(rows, filled, table[M:], w, scores)
        return
    by_row = numpy.empty((len(w), len(table)), w.dtype)
    multiply(w, matrix, by_row)
    for b in range(len(w)):
        of_slots, of_readings, to = by_row[b, :M], by_row[b, M:], scores[b]
        empty = of_readings[0]
        for i in range(M):
            to[i] = of_slots[i] + empty
        for i in range(filled[b]):
            to[i] = of_slots[i] + of_readings[rows[b, i]]


@njit(**INNER)
def _read(p, table, rows, filled, shared, row_weights, o):
    """Sum slots: ``o_b = sum_i p[b, i] (T_i + r[rows[b, i]])``; fill `row_weights` if shared."""
    M = p.shape[1]
    if not shared:
        multiply(p, table[:M], o)
        add_sums(rows, filled, table[M:], p, o)
        return
    for b in range(len(p)):
        weights, of_slots, of_readings = p[b], row_weights[b, :M], row_weights[b, M:]
        for i in range(M):
            of_slots[i] = weights[i]
        for u in range(len(of_readings)):
            of_readings[u] = 0
        for i in range(filled[b]):
            of_readings[rows[b, i]] += weights[i]
        for i in range(filled[b], M):
            of_readings[0] += weights[i]
    multiply(row_weights, table, o)


@njit(**INNER)
def _sum_by_row(p, row_weights, w, rows, memory, d_table):
    """Sum the gradient of a table over questions and hops: slot i adds ``p[b, i] w_b``."""
    M = p.shape[1]
    if memory.shared:
        multiply(row_weights.T, w, d_table)
        return
    multiply(p.T, w, d_table[:M])
    gather_rows(rows, memory.filled, p, w, d_table[M:])


@njit(**INNER)
def forward_block(query, memory, A, A_T, R, saved, u):
    """Compute the hops: fill u, (B, F), and what the backward pass needs in `saved`."""
    keys, values, key_rows, value_rows, allowed, filled, shared = memory
    A_left, A_right, queries, attention, row_weights, sums = saved
    B, matrix = len(query), _match_matrix(keys, memory)
    us, reads = A_left[len(R) * B :], A_right[: len(R) * B]
    multiply(query, A_T, us[:B])
    for h in range(len(R)):
        rows, following = slice(h * B, (h + 1) * B), slice((h + 1) * B, (h + 2) * B)
        w, p, read, s = queries[rows], attention[rows], reads[rows], sums[rows]
        multiply(us[rows], A, w)  # (B, D)
        _match(w, keys, matrix, key_rows, filled, shared, p)  # (B, M)
        softmax_rows(p, allowed)
        _read(p, values, value_rows, filled, shared, row_weights[rows], read)  # (B, D)
        multiply(read, A_T, s)
        add_up(us[rows], s)  # s = u + o, (B, F)
        multiply(s, transposed(R[h]), us[following] if h + 1 < len(R) else u)


@njit(**INNER)
def backward_block(du, query, memory, A, A_T, R, saved, gradients):
    """Compute the gradients of the hops.

    The gradient of a matrix is a sum of outer products over questions and hops: one product of what
    all hops saved.
    """
    keys, values, key_rows, value_rows, _, filled, shared = memory
    A_left, A_right, queries, attention, row_weights, sums = saved
    d_reads, d_scores = numpy.empty_like(queries), numpy.empty_like(attention)
    d_row_weights, dR = numpy.empty_like(row_weights), gradients.R
    B, H, matrix, du = len(query), len(R), _match_matrix(values, memory), du.copy()
    for h in range(H - 1, -1, -1):
        rows = slice(h * B, (h + 1) * B)
        ds, dw = A_left[rows], A_right[(H + h) * B : (H + h + 1) * B]
        d_read, dp = d_reads[rows], d_scores[rows]
        multiply(du.T, sums[rows], dR[h])
        multiply(du, R[h], ds)  # (B, F)
        multiply(ds, A, d_read)  # (B, D)
        _match(d_read, values, matrix, value_rows, filled, shared, dp)  # (B, M)
        softmax_backward_rows(attention[rows], dp)
        _read(dp, keys, key_rows, filled, shared, d_row_weights[rows], dw)  # (B, D)
        multiply(dw, A_T, du)
        add_up(ds, du)  # u enters the scores and the sum s
    copy_into(A_left[2 * H * B :], du)
    copy_into(A_right[2 * H * B :], query)
    multiply(du, A, gradients.query)
    _sum_by_row(d_scores, d_row_weights, queries, key_rows, memory, gradients.keys)
    _sum_by_row(attention, row_weights, d_reads, value_rows, memory, gradients.values)
    multiply(A_left.T, A_right, gradients.A)


@njit(**INNER)
def empty_saved_hops(hops, questions, A, memory):
    """Return the arrays that the hops of some questions fill."""
    (F, D), n = A.shape, hops * questions
    A_left = numpy.empty((2 * n + questions, F), A.dtype)
    A_right, queries = numpy.empty((len(A_left), D), A.dtype), numpy.empty((n, D), A.dtype)
    attention = numpy.empty((n, memory.key_rows.shape[1]), A.dtype)
    row_weights = numpy.empty((n, len(memory.keys) if memory.shared else 0), A.dtype)
    sums = numpy.empty((n, F), A.dtype)
    return SavedHops(A_left, A_right, queries, attention, row_weights, sums)


@njit(**INNER)
def forward_backward(query, memory, A, R, output_map, table, answers, losses, gradients):
    """Compute the losses of questions, and the gradients of their sum."""
    saved, A_T = empty_saved_hops(len(R), len(query), A, memory), transposed(A)
    u = numpy.empty((len(query), len(A)), A.dtype)
    forward_block(query, memory, A, A_T, R, saved, u)
    h = numpy.empty((len(u), output_map.shape[1]), A.dtype)
    scores = numpy.empty((len(u), len(table)), A.dtype)
    multiply(u, output_map, h)
    multiply(h, transposed(table), scores)
    cross_entropy_rows(scores, answers, losses)  # from here on, `scores` is their gradient
    multiply(scores.T, h, gradients.table)
    dh, du = numpy.empty_like(h), numpy.empty_like(u)
    multiply(scores, table, dh)
    multiply(u.T, dh, gradients.output_map)
    multiply(dh, transposed(output_map), du)
    backward_block(du, query, memory, A, A_T, R, saved, gradients)
