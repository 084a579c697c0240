"""Chains of facts, each question in one pass over the facts that it reads."""

import numpy

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, OPTIONS, as_int32
from kvnet.kernels.parts.places import Places
from kvnet.kernels.parts.threads import map_on_all_threads
from kvnet.operations.fact_answers import least_weights
from kvnet.operations.facts import Candidates, Plan
from kvnet.operations.noisy_or import BELIEF

QUESTIONS_PER_BLOCK = 32
FIRST_ROOM = 1 << 10  # entities that a block has room for at first
_places = Places()


@njit(**OPTIONS)
def _with_room(array, used, room):
    """Return an array with at least this room: the same one, or a copy of what is used."""
    if room <= len(array):
        return array
    larger = numpy.empty(max(room, 2 * len(array)), array.dtype)
    larger[:used] = array[:used]
    return larger


@njit(**OPTIONS)
def _facts_at_most(starts, held, e, least):
    total = 0
    for i in range(len(held)):
        if e[i] >= least:
            total += starts[held[i] + 1] - starts[held[i]]
    return total


@njit(**OPTIONS)
def _read(starts, relations, entities, held, e, rho, least, first, items, x, doubts, place):
    """Read the facts of held entities; return the end of the items, which begin at `first`.

    An entity o is among the items if ``items[place[o]]`` is o, so `place` needs no initial value.
    """
    belief, n = x.dtype.type(BELIEF), first
    for i in range(len(held)):
        if e[i] < least:
            continue
        for k in range(starts[held[i]], starts[held[i] + 1]):
            p = e[i] * rho[relations[k]]
            if p < least:
                continue
            o = entities[k]
            at = place[o]
            if not (first <= at < n and items[at] == o):
                at, n = n, n + 1
                place[o], items[at], x[at], doubts[at] = at, o, 0, 1
            x[at] += belief * p * doubts[at]  # all terms are positive: accurate near 0 and near 1
            doubts[at] *= 1 - belief * p
    return n


@njit(**NOT_INLINED)
def _follow(starts, relations, entities, asked, rho, drops, lam, bounds, lo, hi, place):
    """Follow the facts of the questions from `lo` to `hi`.

    Returns
    -------
    stops : ((hi - lo) H + 1,) int64 array
        Where the items of each hop of each question end; the first is 0.
    items, x, doubts, e : (n,) arrays
        The entities that each hop reaches, their `noisy_or`, 1 - that, and the weight held.
    numbers : (n,) int32 array
        The candidate that each item is.
    candidates, weights : (m,) arrays
    sizes : (hi - lo,) int64 array
        Candidates per question.
    """
    H, one = len(rho), lam.dtype.type(1)
    items, e = numpy.empty(FIRST_ROOM, numpy.int32), numpy.empty(FIRST_ROOM, lam.dtype)
    x, doubts = numpy.empty_like(e), numpy.empty_like(e)
    stops, sizes = numpy.zeros((hi - lo) * H + 1, numpy.int64), numpy.zeros(hi - lo, numpy.int64)
    first, stop = numpy.empty(1, numpy.int32), 0
    for b in range(lo, hi):
        first[0] = asked[b]
        held, weights_held = first, numpy.ones(1, lam.dtype)
        for h in range(H):
            least = bounds[b, h]
            facts = _facts_at_most(starts, held, weights_held, least)
            room = stop + min(facts, len(starts) - 1)
            items, x = _with_room(items, stop, room), _with_room(x, stop, room)
            doubts, e = _with_room(doubts, stop, room), _with_room(e, stop, room)
            n = _read(
                starts, relations, entities, held, weights_held, rho[h, b], least, stop, items, x,
                doubts, place,
            )  # fmt: skip
            for i in range(stop, n):
                e[i] = x[i] * (one - drops[h, b] if items[i] == asked[b] else one)
            held, weights_held = items[stop:n], e[stop:n]
            stop = n
            stops[(b - lo) * H + h + 1] = n
    items, x, doubts, e = items[:stop], x[:stop], doubts[:stop], e[:stop]
    numbers, candidates = numpy.empty(stop, numpy.int32), numpy.empty(stop, numpy.int32)
    weights, n = numpy.zeros(stop, lam.dtype), 0
    for b in range(lo, hi):
        first_of_question = n
        for h in range(H):
            for i in range(stops[(b - lo) * H + h], stops[(b - lo) * H + h + 1]):
                at = place[items[i]]
                if not (first_of_question <= at < n and candidates[at] == items[i]):
                    at, n = n, n + 1
                    place[items[i]], candidates[at] = at, items[i]
                weights[at] += lam[b, h] * e[i]
                numbers[i] = at
        sizes[b - lo] = n - first_of_question
    return stops, items, x, doubts, e, numbers, candidates[:n], weights[:n], sizes


@njit(**OPTIONS)
def _read_backward(
    starts, relations, entities, held, e, rho, least, items, d_log, place, de, d_rho
):
    """Add the gradients of `_read`, given ``d_log = c de' doubt`` of each item."""
    belief = e.dtype.type(BELIEF)
    for i in range(len(items)):
        place[items[i]] = i
    for i in range(len(held)):
        if e[i] < least:
            continue
        for k in range(starts[held[i]], starts[held[i] + 1]):
            r = relations[k]
            p = e[i] * rho[r]
            if p < least:
                continue
            dp = d_log[place[entities[k]]] / (1 - belief * p)
            d_rho[r] += dp * e[i]
            de[i] += dp * rho[r]


@njit(**NOT_INLINED)
def _follow_backward(
    starts, relations, entities, asked, rho, drops, lam, bounds, lo, place, stops, items, x, doubts,
    e, numbers, da, d_rho, d_drops, d_lam,
):  # fmt: skip
    """Fill the gradients of the questions of a block, from `lo` on."""
    H, belief, one = len(rho), lam.dtype.type(BELIEF), lam.dtype.type(1)
    de, d_log = numpy.empty_like(e), numpy.empty_like(e)
    first, first_weight = numpy.empty(1, numpy.int32), numpy.ones(1, lam.dtype)
    unused = numpy.empty(1, lam.dtype)
    for n in range((len(stops) - 1) // H):
        b = lo + n
        first[0] = asked[b]
        for h in range(H):
            for i in range(stops[n * H + h], stops[n * H + h + 1]):
                d_lam[b, h] += da[numbers[i]] * e[i]
                de[i] = da[numbers[i]] * lam[b, h]
        for h in range(H - 1, -1, -1):
            here = slice(stops[n * H + h], stops[n * H + h + 1])
            for i in range(here.start, here.stop):
                d_log[i] = belief * de[i] * doubts[i]
                if items[i] == asked[b]:
                    d_drops[h, b] -= de[i] * x[i]
                    d_log[i] *= one - drops[h, b]
            before = slice(stops[n * H + h - 1], stops[n * H + h])
            _read_backward(
                starts, relations, entities, items[before] if h else first,
                e[before] if h else first_weight, rho[h, b], bounds[b, h], items[here], d_log[here],
                place, de[before] if h else unused, d_rho[h, b],
            )  # fmt: skip


def fact_answers(xp, index, asked, plan, least):
    """Fused form of `kvnet.operations.fact_answers`: no array per fact.

    Parameters, returns and references: see `kvnet.operations.fact_answers`.
    """
    rho, drops, lam = map(numpy.ascontiguousarray, plan)
    facts = index.starts, as_int32(index.relations), as_int32(index.entities)
    arguments = *facts, as_int32(asked), rho, drops, lam, least_weights(numpy, lam, least)
    cuts = cut(len(lam), QUESTIONS_PER_BLOCK)
    count = len(index.starts) - 1

    def follow(k):
        with _places.of(count) as place:
            return _follow(*arguments, cuts[k], cuts[k + 1], place)

    blocks = map_on_all_threads(follow, len(cuts) - 1)
    weights = numpy.concatenate([block[7] for block in blocks])
    sizes = numpy.concatenate([block[8] for block in blocks])
    starts = numpy.concatenate([[0], numpy.cumsum(sizes)])
    candidates = Candidates(starts, numpy.concatenate([block[6] for block in blocks]))

    def backward(d_weights):
        d_weights = numpy.ascontiguousarray(d_weights)
        gradients = numpy.zeros_like(rho), numpy.zeros_like(drops), numpy.zeros_like(lam)

        def follow_backward(k):
            da = d_weights[starts[cuts[k]] : starts[cuts[k + 1]]]
            with _places.of(count) as place:
                _follow_backward(*arguments, cuts[k], place, *blocks[k][:6], da, *gradients)

        map_on_all_threads(follow_backward, len(cuts) - 1)
        return Plan(*gradients)

    return weights, candidates, backward
