"""MemN2N's hops, one question at a time: its slots are summed once and stay in a core's cache.

Each hop takes its keys from one table of a list and its values from another, given by index, so one
kernel computes both tyings: adjacent tying uses tables h and h + 1 in hop h, layer-wise tying 0 and
1 in all hops.
"""

from typing import NamedTuple

import numpy

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, OPTIONS, as_int32
from kvnet.kernels.parts.slot_products import add_scaled, dot
from kvnet.kernels.parts.softmax_rows import softmax_backward_rows, softmax_rows
from kvnet.kernels.parts.threads import next_block, run_on_all_threads

QUESTIONS_PER_BLOCK = 8
COMPONENTS_PER_BLOCK = 64


class Tables(NamedTuple):
    """The tables, the slots and the hops over them."""

    readings: numpy.ndarray  # (tables, U, E)
    rows: numpy.ndarray  # (B, M, K) int32
    of_keys: numpy.ndarray  # (H,) int64, the table of each hop's keys
    of_values: numpy.ndarray  # (H,) int64
    matrix: numpy.ndarray  # (E, E), or (0, 0) for the identity
    matrix_T: numpy.ndarray


class Hops(NamedTuple):
    """The queries before each hop and after the last, and the attention; or their gradients."""

    queries: numpy.ndarray  # (B, H + 1, E)
    attention: numpy.ndarray  # (B, H, M); as gradient, that of the scores


@njit(**OPTIONS)
def _fill(rows, readings, slots):
    """Sum a question's slots of one table; return the number of slots up to the last filled one."""
    filled = 0
    for i in range(len(rows)):
        for e in range(slots.shape[1]):
            slots[i, e] = 0
        for k in range(rows.shape[1]):
            if rows[i, k] != 0:
                filled = i + 1
                reading = readings[rows[i, k]]
                for e in range(len(reading)):
                    slots[i, e] += reading[e]
    return filled


@njit(**OPTIONS)
def _map(u, matrix, mapped):
    """Set ``mapped = u matrix``, or to u if the matrix is empty."""
    if len(matrix) == 0:
        for e in range(len(u)):
            mapped[e] = u[e]
    else:
        for e in range(len(u)):
            mapped[e] = 0
        for d in range(len(u)):
            add_scaled(mapped, u[d], matrix[d])


@njit(**OPTIONS)
def _hop(b, tables, with_softmax, hops, slots, no_mask):
    """Compute the hops of question b; `slots` is filled, table after table."""
    readings, rows, of_keys, of_values, matrix, _ = tables
    queries, attention = hops
    filled = 0
    for t in range(len(readings)):
        filled = _fill(rows[b], readings[t], slots[t])
    for h in range(len(of_keys)):
        u, after, p = queries[b, h], queries[b, h + 1], attention[b, h]
        for i in range(len(p)):
            p[i] = dot(u, slots[of_keys[h], i]) if i < filled else 0
        if with_softmax:
            softmax_rows(attention[b, h : h + 1], no_mask)
        _map(u, matrix, after)
        for i in range(filled):
            add_scaled(after, p[i], slots[of_values[h], i])


@njit(**OPTIONS)
def _hop_backward(b, tables, with_softmax, hops, gradients, slots):
    """Compute the gradients of question b's hops, from that of its last query."""
    readings, rows, of_keys, of_values, _, matrix_T = tables
    attention, (d_queries, d_scores), filled = hops.attention, gradients, 0
    for t in range(len(readings)):
        filled = _fill(rows[b], readings[t], slots[t])
    for h in range(len(of_keys) - 1, -1, -1):
        du, d_after = d_queries[b, h], d_queries[b, h + 1]
        dp, one = d_scores[b, h], slice(h, h + 1)
        for i in range(len(dp)):
            dp[i] = dot(d_after, slots[of_values[h], i]) if i < filled else 0
        if with_softmax:
            softmax_backward_rows(attention[b, one], d_scores[b, one])
        _map(d_after, matrix_T, du)
        for i in range(filled):
            add_scaled(du, dp[i], slots[of_keys[h], i])


@njit(**OPTIONS)
def _empty_slots(tables):
    readings, M = tables.readings, tables.rows.shape[1]
    return numpy.empty((len(readings), M, readings.shape[2]), readings.dtype)


@njit(**OPTIONS)
def _hop_block(lo, hi, tables, with_softmax, hops):
    slots, no_mask = _empty_slots(tables), numpy.empty((1, 0), numpy.bool_)
    for b in range(lo, hi):
        _hop(b, tables, with_softmax, hops, slots, no_mask)


@njit(**OPTIONS)
def _hop_backward_block(lo, hi, tables, with_softmax, hops, gradients):
    slots = _empty_slots(tables)
    for b in range(lo, hi):
        _hop_backward(b, tables, with_softmax, hops, gradients, slots)


@njit(**OPTIONS)
def _scatter(table, lo, hi, tables, hops, gradients, d_readings):
    """Sum some components of a table's gradient over the slots of all questions, in their order."""
    rows, of_keys, of_values = tables.rows, tables.of_keys, tables.of_values
    us, ps, d_us, d_scores = hops.queries, hops.attention, gradients.queries, gradients.attention
    d_table, d_slot = d_readings[table], numpy.empty(hi - lo, us.dtype)
    for n in range(len(d_table)):
        for e in range(lo, hi):
            d_table[n, e] = 0
    for b in range(len(rows)):
        for i in range(rows.shape[1]):
            for k in range(rows.shape[2]):
                if rows[b, i, k] != 0:
                    break
            else:
                continue  # an empty slot
            for e in range(len(d_slot)):
                d_slot[e] = 0
            for h in range(len(of_keys)):
                if of_keys[h] == table:
                    add_scaled(d_slot, d_scores[b, h, i], us[b, h, lo:hi])
                if of_values[h] == table:
                    add_scaled(d_slot, ps[b, h, i], d_us[b, h + 1, lo:hi])
            for k in range(rows.shape[2]):
                if rows[b, i, k] != 0:
                    add_scaled(d_table[rows[b, i, k], lo:hi], 1, d_slot)


@njit(**NOT_INLINED)
def _forward(counters, bounds, tables, with_softmax, hops):
    k = next_block(counters, 0)
    while k < len(bounds) - 1:
        _hop_block(bounds[k], bounds[k + 1], tables, with_softmax, hops)
        k = next_block(counters, 0)


@njit(**NOT_INLINED)
def _backward(counters, bounds, tables, with_softmax, hops, gradients):
    k = next_block(counters, 0)
    while k < len(bounds) - 1:
        _hop_backward_block(bounds[k], bounds[k + 1], tables, with_softmax, hops, gradients)
        k = next_block(counters, 0)


@njit(**NOT_INLINED)
def _gather(counters, tables, hops, gradients, d_readings):
    columns = cut(d_readings.shape[2], COMPONENTS_PER_BLOCK)
    n, blocks = next_block(counters, 0), len(columns) - 1
    while n < len(d_readings) * blocks:
        lo, hi = columns[n % blocks], columns[n % blocks + 1]
        _scatter(n // blocks, lo, hi, tables, hops, gradients, d_readings)
        n = next_block(counters, 0)


def hop_over_slots(u, readings, rows, of_keys, of_values, matrix, with_softmax):
    """Hop H times: ``u' = u matrix + o``, ``o = sum_i softmax_i(u · k_i) v_i``.

    Parameters
    ----------
    u : (B, E) float array
    readings : sequence of (U, E) float arrays
        The tables.
    rows : (B, M, K) integer array
        The readings that a slot is the sum of; row 0 adds nothing.
    of_keys, of_values : sequence of H int
        The tables of each hop.
    matrix : (E, E) float array or None
        None for the identity.
    with_softmax : bool

    Returns
    -------
    u : (B, E) float array
    attention : (H, B, M) float array
    backward : callable
        ``du (B, E) -> du_0 (B, E), d_readings (tables, U, E), d_matrix (E, E) or None``
    """
    (B, E), M, H = u.shape, rows.shape[1], len(of_keys)
    square = numpy.zeros((0, 0), u.dtype) if matrix is None else numpy.ascontiguousarray(matrix)
    indices = as_int32(rows), numpy.array(of_keys), numpy.array(of_values)
    tables = Tables(numpy.array(readings), *indices, square, numpy.ascontiguousarray(square.T))
    hops = Hops(numpy.empty((B, H + 1, E), u.dtype), numpy.empty((B, H, M), u.dtype))
    hops.queries[:, 0], bounds = u, cut(B, QUESTIONS_PER_BLOCK)
    run_on_all_threads(_forward, len(bounds) - 1, bounds, tables, with_softmax, hops)

    def backward(du):
        gradients = Hops(*map(numpy.empty_like, hops))
        gradients.queries[:, H] = du
        inputs = bounds, tables, with_softmax, hops
        run_on_all_threads(_backward, len(bounds) - 1, *inputs, gradients)
        d_readings = numpy.empty_like(tables.readings)
        blocks = len(d_readings) * -(-E // COMPONENTS_PER_BLOCK)
        run_on_all_threads(_gather, blocks, tables, hops, gradients, d_readings)
        before, d_after = (
            x.reshape(-1, E) for x in (hops.queries[:, :H], gradients.queries[:, 1:])
        )
        d_matrix = None if matrix is None else before.T @ d_after
        return gradients.queries[:, 0].copy(), d_readings, d_matrix

    return hops.queries[:, H].copy(), hops.attention.transpose(1, 0, 2).copy(), backward
