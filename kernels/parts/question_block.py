"""A block of questions: over all hops, to their losses, and back. A slot costs no product.

The memory's two tables hold the temporal encodings first and the readings after them, ``[T; r]``:
slot i's key is row i plus row ``M + row_i``. ``A`` is moved to the query's side,
``u · k Aᵀ = (u A) · k`` and ``sum_i p_i v_i Aᵀ = (sum_i p_i v_i) Aᵀ``, so that it maps one vector a
question and hop. What follows takes one of two ways. Where questions share their sentences, a query
is multiplied with the whole table, and slots pick what is theirs; else a slot costs a dot product.
"""

import numpy
from numba import njit

from kvnet.kernels.parts.compile_options import INNER, OPTIONS
from kvnet.kernels.parts.matrices import add_up, copy_into, multiply, transposed
from kvnet.kernels.parts.slot_products import add_dots, add_sums, gather_rows
from kvnet.kernels.parts.softmax_rows import softmax_backward_rows, softmax_rows
from kvnet.kernels.word_cross_entropy import entropy_rows

SLOWNESS = 8  # of a slot's dot product, beside as many multiplications in a dense one


@njit(**OPTIONS)
def sentences_are_shared(filled, readings):
    """Tell whether a product with all readings is cheaper than one with each filled slot's."""
    return len(filled) * readings <= SLOWNESS * filled.sum()


@njit(**INNER)
def _across(table, slots, shared):
    """Transpose what `_match` multiplies by."""
    return transposed(table if shared else table[:slots])


@njit(**INNER)
def _match(w, table, across, rows, filled, shared, scores):
    """Score slots: ``scores[b, i] = w_b · (T_i + r[rows[b, i]])``."""
    M = scores.shape[1]
    if not shared:
        multiply(w, across, scores)
        add_dots(rows, filled, table[M:], w, scores)
        return
    by_row = numpy.empty((len(w), len(table)), w.dtype)
    multiply(w, across, by_row)
    for b in range(len(w)):
        of_slots, of_readings, to = by_row[b, :M], by_row[b, M:], scores[b]
        empty = of_readings[0]
        for i in range(M):
            to[i] = of_slots[i] + empty
        for i in range(filled[b]):
            to[i] = of_slots[i] + of_readings[rows[b, i]]


@njit(**INNER)
def _weigh(p, table, rows, filled, shared, shares, o):
    """Sum what slots hold: ``o_b = sum_i p[b, i] (T_i + r[rows[b, i]])``.

    If shared, `shares` are filled with how much each row of the table counts for.
    """
    M = p.shape[1]
    if not shared:
        multiply(p, table[:M], o)
        add_sums(rows, filled, table[M:], p, o)
        return
    for b in range(len(p)):
        weights, of_slots, of_readings = p[b], shares[b, :M], shares[b, M:]
        for i in range(M):
            of_slots[i] = weights[i]
        for u in range(len(of_readings)):
            of_readings[u] = 0
        for i in range(filled[b]):
            of_readings[rows[b, i]] += weights[i]
        for i in range(filled[b], M):
            of_readings[0] += weights[i]
    multiply(shares, table, o)


@njit(**INNER)
def _sum_by_row(p, shares, w, rows, filled, shared, d_table):
    """Sum the gradient of a table over questions and hops: slot i adds ``p[b, i] w_b``."""
    M = p.shape[1]
    if shared:
        multiply(shares.T, w, d_table)
        return
    multiply(p.T, w, d_table[:M])
    gather_rows(rows, filled, p, w, d_table[M:])


@njit(**INNER)
def forward_block(query, memory, A, A_T, R, allowed, left, u):
    """Hop, to `u`; `left` is filled with what the way back needs, hop after hop."""
    keys, values, key_rows, value_rows, filled, shared = memory
    into_A, out_of_A, ws, ps, shares, ss = left
    B, across = len(query), _across(keys, ps.shape[1], shared)
    us, reads = into_A[len(R) * B :], out_of_A[: len(R) * B]
    multiply(query, A_T, us[:B])
    for h in range(len(R)):
        rows, following = slice(h * B, (h + 1) * B), slice((h + 1) * B, (h + 2) * B)
        w, p, read, s = ws[rows], ps[rows], reads[rows], ss[rows]
        multiply(us[rows], A, w)  # (B, D)
        _match(w, keys, across, key_rows, filled, shared, p)  # (B, M)
        softmax_rows(p, allowed)
        _weigh(p, values, value_rows, filled, shared, shares[rows], read)  # (B, D)
        multiply(read, A_T, s)
        add_up(us[rows], s)  # s = u + o, (B, F)
        multiply(s, transposed(R[h]), us[following] if h + 1 < len(R) else u)


@njit(**INNER)
def backward_block(du, query, memory, A, A_T, R, left, back):
    """Go back through the hops, to `back`.

    Every matrix's gradient is a sum over questions and hops of outer products, so one product
    makes it from what the hops leave, stood one under the other.
    """
    keys, values, key_rows, value_rows, filled, shared = memory
    into_A, out_of_A, ws, ps, shares, ss = left
    d_query, d_keys, d_values, dA, dR = back
    B, H = len(query), len(R)
    d_reads, d_scores = numpy.empty_like(ws), numpy.empty_like(ps)
    d_shares = numpy.empty_like(shares)
    across, du = _across(values, ps.shape[1], shared), du.copy()
    for h in range(H - 1, -1, -1):
        rows = slice(h * B, (h + 1) * B)
        ds, dw = into_A[rows], out_of_A[(H + h) * B : (H + h + 1) * B]
        d_read, dp = d_reads[rows], d_scores[rows]
        multiply(du.T, ss[rows], dR[h])
        multiply(du, R[h], ds)  # (B, F)
        multiply(ds, A, d_read)  # (B, D)
        _match(d_read, values, across, value_rows, filled, shared, dp)  # (B, M)
        softmax_backward_rows(ps[rows], dp)
        _weigh(dp, keys, key_rows, filled, shared, d_shares[rows], dw)  # (B, D)
        multiply(dw, A_T, du)
        add_up(ds, du)  # u goes into the scores and into the sum s
    copy_into(into_A[2 * H * B :], du)
    copy_into(out_of_A[2 * H * B :], query)
    multiply(du, A, d_query)
    _sum_by_row(d_scores, d_shares, ws, key_rows, filled, shared, d_keys)
    _sum_by_row(ps, shares, d_reads, value_rows, filled, shared, d_values)
    multiply(into_A.T, out_of_A, dA)


@njit(**INNER)
def room_for_hops(hops, questions, A, memory):
    """Return empty arrays for what the hops of a block leave.

    Returns
    -------
    into_A : ((2 H + 1) B, F) float array
        ds of each hop, u of each hop, and du before the first: what `A` is multiplied by.
    out_of_A : ((2 H + 1) B, D) float array
        What was read, dw, and the query: in the same order what comes of it.
    ws, ps, shares, ss : (H B, D), (H B, M), (H B, M + U), (H B, F) float array
        Queries, attention, the tables' shares in it if they are shared, and sums u + o.
    """
    keys, _, key_rows, _, _, shared = memory
    (F, D), n = A.shape, hops * questions
    into_A = numpy.empty((2 * n + questions, F), A.dtype)
    out_of_A, ws = numpy.empty((len(into_A), D), A.dtype), numpy.empty((n, D), A.dtype)
    ps = numpy.empty((n, key_rows.shape[1]), A.dtype)
    shares = numpy.empty((n, len(keys) if shared else 0), A.dtype)
    return into_A, out_of_A, ws, ps, shares, numpy.empty((n, F), A.dtype)


@njit(**INNER)
def there_and_back(query, memory, A, R, allowed, B, table, answers, losses, back):
    """Take questions to their losses and back, to `back`: `backward_block`'s, dB and d_table."""
    d_query, d_keys, d_values, dA, dR, dB, d_table = back
    left, A_T = room_for_hops(len(R), len(query), A, memory), transposed(A)
    u = numpy.empty((len(query), len(B)), B.dtype)
    forward_block(query, memory, A, A_T, R, allowed, left, u)
    h, scores = (
        numpy.empty((len(u), B.shape[1]), B.dtype),
        numpy.empty((len(u), len(table)), B.dtype),
    )
    multiply(u, B, h)
    multiply(h, transposed(table), scores)
    entropy_rows(scores, answers, losses)  # from here on, their gradient
    multiply(scores.T, h, d_table)
    dh, du = numpy.empty_like(h), numpy.empty_like(u)
    multiply(scores, table, dh)
    multiply(u.T, dh, dB)
    multiply(dh, transposed(B), du)
    backward_block(du, query, memory, A, A_T, R, left, (d_query, d_keys, d_values, dA, dR))
