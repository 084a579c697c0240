"""MemN2N's hops, a question at a time: its slots are summed once, and stay in a core's cache.

A hop reads two of a stack of tables, by number: its keys and its values. So the two tyings are one
kernel: with adjacent tying hop h takes tables h and h + 1, with layer-wise tying always 0 and 1.
"""

import numpy
from numba import njit, prange

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_options import OPTIONS, PARALLEL
from kvnet.kernels.parts.slot_products import add_scaled, dot
from kvnet.kernels.parts.softmax_rows import softmax_backward_rows, softmax_rows

QUESTIONS_A_TASK = 8
COMPONENTS_A_TASK = 64


@njit(**OPTIONS)
def _fill(rows, readings, slots):
    """Sum a question's slots of one table; return how many there are up to the last one filled."""
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
    """Set ``mapped = u matrix``, or to u itself where the matrix is empty."""
    if len(matrix) == 0:
        for e in range(len(u)):
            mapped[e] = u[e]
    else:
        for e in range(len(u)):
            mapped[e] = 0
        for d in range(len(u)):
            add_scaled(mapped, u[d], matrix[d])


@njit(**OPTIONS)
def _hop(b, inputs, with_softmax, us, ps, slots, everything):
    """Hop for question b; `slots` is there to be written, a table after another."""
    readings, rows, keys, values, matrix, _ = inputs
    filled = 0
    for t in range(len(readings)):
        filled = _fill(rows[b], readings[t], slots[t])
    for h in range(len(keys)):
        u, after, p = us[b, h], us[b, h + 1], ps[b, h]
        for i in range(len(p)):
            p[i] = dot(u, slots[keys[h], i]) if i < filled else 0
        if with_softmax:
            softmax_rows(ps[b, h : h + 1], everything)
        _map(u, matrix, after)
        for i in range(filled):
            add_scaled(after, p[i], slots[values[h], i])


@njit(**OPTIONS)
def _hop_back(b, inputs, with_softmax, us, ps, d_us, d_scores, slots):
    """Go back through question b's hops, from the last of `d_us` to its first."""
    readings, rows, keys, values, _, transposed = inputs
    filled = 0
    for t in range(len(readings)):
        filled = _fill(rows[b], readings[t], slots[t])
    for h in range(len(keys) - 1, -1, -1):
        du, d_after, dp = d_us[b, h], d_us[b, h + 1], d_scores[b, h]
        for i in range(len(dp)):
            dp[i] = dot(d_after, slots[values[h], i]) if i < filled else 0
        if with_softmax:
            softmax_backward_rows(ps[b, h : h + 1], d_scores[b, h : h + 1])
        _map(d_after, transposed, du)
        for i in range(filled):
            add_scaled(du, dp[i], slots[keys[h], i])


@njit(**OPTIONS)
def _hop_some(lo, hi, inputs, with_softmax, us, ps):
    readings, rows, _, _, _, _ = inputs
    slots = numpy.empty((len(readings), rows.shape[1], readings.shape[2]), readings.dtype)
    everything = numpy.empty((1, 0), numpy.bool_)  # all slots take part in the softmax
    for b in range(lo, hi):
        _hop(b, inputs, with_softmax, us, ps, slots, everything)


@njit(**OPTIONS)
def _hop_back_some(lo, hi, inputs, with_softmax, us, ps, d_us, d_scores):
    readings, rows, _, _, _, _ = inputs
    slots = numpy.empty((len(readings), rows.shape[1], readings.shape[2]), readings.dtype)
    for b in range(lo, hi):
        _hop_back(b, inputs, with_softmax, us, ps, d_us, d_scores, slots)


@njit(**OPTIONS)
def _sum_hops(table, b, i, lo, inputs, us, ps, d_us, d_scores, d_slot):
    """Set some components, from `lo` on, of a slot's gradient; not at all if it holds nothing."""
    _, rows, keys, values, _, _ = inputs
    hi = lo + len(d_slot)
    for k in range(rows.shape[2]):
        if rows[b, i, k] != 0:
            break
    else:
        return
    for e in range(len(d_slot)):
        d_slot[e] = 0
    for h in range(len(keys)):
        if keys[h] == table:
            add_scaled(d_slot, d_scores[b, h, i], us[b, h, lo:hi])
        if values[h] == table:
            add_scaled(d_slot, ps[b, h, i], d_us[b, h + 1, lo:hi])


@njit(**OPTIONS)
def _scatter(table, lo, hi, inputs, us, ps, d_us, d_scores, d_readings):
    """Sum some components of a table's gradient over the slots of all questions, in their order."""
    _, rows, _, _, _, _ = inputs
    d_table, d_slot = d_readings[table], numpy.empty(hi - lo, us.dtype)
    for n in range(len(d_table)):
        for e in range(lo, hi):
            d_table[n, e] = 0
    for b in range(len(rows)):
        for i in range(rows.shape[1]):
            _sum_hops(table, b, i, lo, inputs, us, ps, d_us, d_scores, d_slot)
            for k in range(rows.shape[2]):
                if rows[b, i, k] != 0:
                    add_scaled(d_table[rows[b, i, k], lo:hi], 1, d_slot)


@njit(**PARALLEL)
def _forward(bounds, inputs, with_softmax, us, ps):
    for k in prange(len(bounds) - 1):
        _hop_some(bounds[k], bounds[k + 1], inputs, with_softmax, us, ps)


@njit(**PARALLEL)
def _backward(bounds, inputs, with_softmax, us, ps, d_us, d_scores):
    for k in prange(len(bounds) - 1):
        _hop_back_some(bounds[k], bounds[k + 1], inputs, with_softmax, us, ps, d_us, d_scores)


@njit(**PARALLEL)
def _gather(inputs, us, ps, d_us, d_scores, d_readings):
    parts = cut(d_readings.shape[2], COMPONENTS_A_TASK)
    blocks = len(parts) - 1
    for n in prange(len(d_readings) * blocks):
        lo, hi = parts[n % blocks], parts[n % blocks + 1]
        _scatter(n // blocks, lo, hi, inputs, us, ps, d_us, d_scores, d_readings)


def hop_over_slots(u, readings, rows, keys, values, matrix, with_softmax):
    """Hop H times: ``u' = u matrix + o``, ``o = sum_i softmax_i(u · k_i) v_i``.

    Parameters
    ----------
    u : (B, E) float array
    readings : sequence of (U, E) float arrays
        The tables.
    rows : (B, M, K) integer array
        What a slot is summed of; row 0 stands for nothing.
    keys, values : sequence of H int
        Each hop's tables.
    matrix : (E, E) float array or None
        None leaves the query as it is.
    with_softmax : bool

    Returns
    -------
    u : (B, E) float array
    attention : (H, B, M) float array
    backward : callable
        ``du (B, E) -> du_0 (B, E), d_readings (tables, U, E), d_matrix (E, E) or None``
    """
    (B, E), M, H = u.shape, rows.shape[1], len(keys)
    square = numpy.zeros((0, 0), u.dtype) if matrix is None else numpy.ascontiguousarray(matrix)
    hops = (numpy.array(numbers) for numbers in (keys, values))
    inputs = (
        numpy.array(readings),
        numpy.ascontiguousarray(rows, numpy.int32),
        *hops,
        square,
        numpy.ascontiguousarray(square.T),
    )
    us, ps = numpy.empty((B, H + 1, E), u.dtype), numpy.empty((B, H, M), u.dtype)
    us[:, 0], bounds = u, cut(B, QUESTIONS_A_TASK)
    _forward(bounds, inputs, with_softmax, us, ps)

    def backward(du):
        d_us, d_scores = numpy.empty_like(us), numpy.empty_like(ps)
        d_us[:, H] = du
        _backward(bounds, inputs, with_softmax, us, ps, d_us, d_scores)
        d_readings = numpy.empty_like(inputs[0])
        _gather(inputs, us, ps, d_us, d_scores, d_readings)
        before, after = us[:, :H].reshape(-1, E), d_us[:, 1:].reshape(-1, E)
        return d_us[:, 0].copy(), d_readings, None if matrix is None else before.T @ after

    return us[:, H].copy(), ps.transpose(1, 0, 2).copy(), backward
