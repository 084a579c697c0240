"""Answers from one memory per question: an entity is multiplied once, not once per fact."""

from typing import NamedTuple

import numpy

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, OPTIONS, as_int32
from kvnet.kernels.parts.places import Places
from kvnet.kernels.parts.row_products import add, add_transposed, dot, times
from kvnet.kernels.parts.threads import map_on_all_threads
from kvnet.operations.facts import Candidates

QUESTIONS_PER_BLOCK = 8
_places = Places()


class Local(NamedTuple):
    """The memory of one question, with its entities numbered from 0: candidates first.

    Attributes
    ----------
    rows : (E,) int32 array
        The entities, as positions in the table of all.
    keys, values : (M,) int32 array
    candidates : int
    asked : int
    """

    rows: numpy.ndarray
    keys: numpy.ndarray
    values: numpy.ndarray
    candidates: int
    asked: int


@njit(**OPTIONS)
def _number(row, rows, count, place):
    at = place[row]
    if not (0 <= at < count and rows[at] == row):
        at = count
        place[row], rows[at] = at, row
    return at


@njit(**OPTIONS)
def _localise(asked, keys, values, place):
    """Return a memory with its entities numbered: values in order, then those only in keys."""
    rows = numpy.empty(len(keys) + len(values) + 1, numpy.int32)
    new_keys, new_values = numpy.empty_like(keys), numpy.empty_like(values)
    count = 0
    for i in range(len(values)):
        new_values[i] = _number(values[i], rows, count, place)
        count = max(count, new_values[i] + 1)
    candidates = count
    for i in range(len(keys)):
        new_keys[i] = _number(keys[i], rows, count, place)
        count = max(count, new_keys[i] + 1)
    first = _number(asked, rows, count, place)
    count = max(count, first + 1)
    return Local(rows[:count], new_keys, new_values, candidates, first)


@njit(**OPTIONS)
def _hops(table, relations, R, local, chosen, us, zs, p, shares):
    """Fill the query before each hop and after the last, its sum with o, and the attention.

    Parameters
    ----------
    table : (E, D) float array
        The embeddings of the memory's entities.
    us, zs : (H + 1, D), (H, D) float arrays
        Row 0 of `us` is given.
    p : (H, M) float array
    shares : (H, E) float array
        The attention by value; zero before.
    """
    by_key = numpy.empty(len(table), table.dtype)
    by_relation = numpy.empty(len(relations), table.dtype)
    for h in range(len(R)):
        times(table, us[h], by_key)
        times(relations, us[h], by_relation)
        largest, total = table.dtype.type(-numpy.inf), table.dtype.type(0)
        for i in range(len(chosen)):
            p[h, i] = by_key[local.keys[i]] + by_relation[chosen[i]]
            largest = max(largest, p[h, i])
        for i in range(len(chosen)):
            p[h, i] = numpy.exp(p[h, i] - largest)
            total += p[h, i]
        for i in range(len(chosen)):
            p[h, i] /= total
            shares[h, local.values[i]] += p[h, i]
        zs[h] = us[h]
        add_transposed(table, shares[h], zs[h])
        times(R[h], zs[h], us[h + 1])


@njit(**OPTIONS)
def _table_of(entities, rows):
    table = numpy.empty((len(rows), entities.shape[1]), entities.dtype)
    for i in range(len(rows)):
        table[i] = entities[rows[i]]
    return table


@njit(**NOT_INLINED)
def _answer(query, entities, relations, R, starts, keys, values, chosen, asked, lo, hi, place):
    """Answer the questions from `lo` to `hi`."""
    H, D = len(R), query.shape[1]
    first, size = starts[lo], starts[hi] - starts[lo]
    attention = numpy.empty((H, size), query.dtype)
    scores, found = numpy.empty(size, query.dtype), numpy.empty(size, numpy.int32)
    sizes, n = numpy.zeros(hi - lo, numpy.int64), 0
    us, zs = numpy.empty((H + 1, D), query.dtype), numpy.empty((H, D), query.dtype)
    for b in range(lo, hi):
        here = slice(starts[b], starts[b + 1])
        if here.start == here.stop:
            continue
        local = _localise(asked[b], keys[here], values[here], place)
        table = _table_of(entities, local.rows)
        p = numpy.empty((H, here.stop - here.start), query.dtype)
        shares = numpy.zeros((H, len(table)), query.dtype)
        us[0] = query[b] + table[local.asked]
        _hops(table, relations, R, local, chosen[here], us, zs, p, shares)
        attention[:, here.start - first : here.stop - first] = p
        for i in range(local.candidates):
            scores[n + i], found[n + i] = dot(table[i], us[H]), local.rows[i]
        sizes[b - lo] = local.candidates
        n += local.candidates
    return scores[:n], found[:n], sizes, attention


@njit(**OPTIONS)
def _hops_backward(
    table, relations, R, local, chosen, us, zs, p, shares, dz, d_table, d_relations, dR
):
    """Return the gradient of the first query, given that of the last; add the others."""
    dtype = table.dtype
    d_shares, by_key = numpy.empty(len(table), dtype), numpy.empty(len(table), dtype)
    by_relation = numpy.empty(len(relations), dtype)
    du = dz.copy()
    for h in range(len(R) - 1, -1, -1):
        for d in range(len(du)):
            add(dR[h, d], du[d], zs[h])
        dz[:] = 0
        add_transposed(R[h], du, dz)
        times(table, dz, d_shares)
        mean = dot(shares[h], d_shares)
        by_key[:] = 0
        by_relation[:] = 0
        for i in range(len(chosen)):
            d_score = p[h, i] * (d_shares[local.values[i]] - mean)
            by_key[local.keys[i]] += d_score
            by_relation[chosen[i]] += d_score
        du[:] = dz
        add_transposed(table, by_key, du)
        add_transposed(relations, by_relation, du)
        for i in range(len(table)):
            if shares[h, i] != 0:
                add(d_table[i], shares[h, i], dz)
            if by_key[i] != 0:
                add(d_table[i], by_key[i], us[h])
        for r in range(len(relations)):
            if by_relation[r] != 0:
                add(d_relations[r], by_relation[r], us[h])
    return du


@njit(**NOT_INLINED)
def _answer_backward(
    query, entities, relations, R, starts, keys, values, chosen, asked, lo, hi, place, d_scores,
    d_query,
):  # fmt: skip
    """Fill `d_query`; return the other gradients of a block, those of entities by row."""
    H, D = len(R), query.shape[1]
    d_relations, dR = numpy.zeros_like(relations), numpy.zeros_like(R)
    most = 2 * (starts[hi] - starts[lo]) + hi - lo
    rows, d_rows = numpy.empty(most, numpy.int32), numpy.empty((most, D), query.dtype)
    us, zs = numpy.empty((H + 1, D), query.dtype), numpy.empty((H, D), query.dtype)
    n, done = 0, 0
    for b in range(lo, hi):
        here = slice(starts[b], starts[b + 1])
        if here.start == here.stop:
            continue
        local = _localise(asked[b], keys[here], values[here], place)
        table = _table_of(entities, local.rows)
        p = numpy.empty((H, here.stop - here.start), query.dtype)
        shares = numpy.zeros((H, len(table)), query.dtype)
        us[0] = query[b] + table[local.asked]
        _hops(table, relations, R, local, chosen[here], us, zs, p, shares)
        d_table = d_rows[n : n + len(table)]
        d_table[:] = 0
        du = numpy.zeros(D, query.dtype)
        for i in range(local.candidates):
            add(d_table[i], d_scores[done + i], us[H])
            add(du, d_scores[done + i], table[i])
        du = _hops_backward(
            table, relations, R, local, chosen[here], us, zs, p, shares, du, d_table, d_relations,
            dR,
        )  # fmt: skip
        d_query[b] = du
        add(d_table[local.asked], query.dtype.type(1), du)
        rows[n : n + len(table)] = local.rows
        n, done = n + len(table), done + local.candidates
    return rows[:n], d_rows[:n], d_relations, dR


@njit(**NOT_INLINED)
def _add_rows(rows, d_rows, lo, hi, d_entities):
    """Add the gradients whose row is from `lo` to `hi`."""
    for n in range(len(rows)):
        if lo <= rows[n] < hi:
            add(d_entities[rows[n]], d_entities.dtype.type(1), d_rows[n])


def memory_answers(xp, query, entities, relations, R, memories):
    """Fused form of `kvnet.operations.memory_answers`: no array per slot.

    Parameters, returns and references: see `kvnet.operations.memory_answers`.
    """
    tables = [numpy.ascontiguousarray(x) for x in (query, entities, relations, R)]
    slots = memories.keys, memories.values, memories.relations, memories.asked
    arguments = *tables, memories.starts, *map(as_int32, slots)
    cuts = cut(len(query), QUESTIONS_PER_BLOCK)
    blocks, count = len(cuts) - 1, len(entities)

    def answer(k):
        with _places.of(count) as place:
            return _answer(*arguments, cuts[k], cuts[k + 1], place)

    scores, found, sizes, attention = zip(*map_on_all_threads(answer, blocks), strict=True)
    starts = numpy.concatenate([[0], numpy.cumsum(numpy.concatenate(sizes))])

    def backward(d_scores):
        d_scores, d_query = numpy.ascontiguousarray(d_scores), numpy.zeros_like(tables[0])

        def answer_backward(k):
            mine = d_scores[starts[cuts[k]] : starts[cuts[k + 1]]]
            with _places.of(count) as place:
                return _answer_backward(*arguments, cuts[k], cuts[k + 1], place, mine, d_query)

        parts = map_on_all_threads(answer_backward, blocks)
        d_entities, sections = numpy.zeros_like(tables[1]), cut(count, -(-count // blocks))

        def add_rows(s):
            for rows, d_rows, _, _ in parts:
                _add_rows(rows, d_rows, sections[s], sections[s + 1], d_entities)

        map_on_all_threads(add_rows, len(sections) - 1)
        return d_query, d_entities, sum(part[2] for part in parts), sum(part[3] for part in parts)

    candidates = Candidates(starts, numpy.concatenate(found))
    return numpy.concatenate(scores), candidates, numpy.concatenate(attention, axis=1), backward
