"""Facts around entities, without an array per step."""

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, OPTIONS, as_int32
from kvnet.kernels.parts.places import Places
from kvnet.operations.facts import FactMemories

_places = Places()


@njit(**OPTIONS)
def _number(entity, present, count, place):
    """Return the position of an entity in `present`, where it is added if it is not there."""
    at = place[entity]
    if not (0 <= at < count and present[at] == entity):
        at = count
        place[entity], present[at] = at, entity
    return at


@njit(**NOT_INLINED)
def _collect(starts, entities, asked, steps, memory_size, frequent, place):
    """Return the owner and the position of each question's facts, the nearest first."""
    B, N = len(asked), len(starts) - 1
    bounds, left_out = numpy.zeros(B + 1, numpy.int64), numpy.zeros(B, numpy.int64)
    owners, edges = numpy.empty(1024, numpy.int32), numpy.empty(1024, numpy.int64)
    reached = numpy.empty(1024, numpy.int32)
    n = 0
    for b in range(B):
        first, count, begin = n, 1, 0
        reached[0], place[asked[b]] = asked[b], 0
        for _ in range(steps):
            end = count
            for i in range(begin, end):
                s = reached[i]
                size = starts[s + 1] - starts[s]
                if size > frequent and s != asked[b]:
                    continue
                if n + size > len(edges):
                    owners = numpy.concatenate((owners, numpy.empty(n + size, numpy.int32)))
                    edges = numpy.concatenate((edges, numpy.empty(n + size, numpy.int64)))
                if count + size > len(reached):
                    room = numpy.empty(min(count + size, N), numpy.int32)
                    reached = numpy.concatenate((reached, room))
                for k in range(starts[s], starts[s + 1]):
                    if n - first < memory_size:
                        owners[n], edges[n] = s, k
                        n += 1
                    else:
                        left_out[b] += 1
                    count = max(count, 1 + _number(entities[k], reached, count, place))
            begin = end
        bounds[b + 1] = n
    return bounds, owners[:n], edges[:n], left_out


@njit(**NOT_INLINED)
def _renumber(asked, owners, edges, entities, place):
    """Return the entities of all memories, numbered in the order in which they appear."""
    present = numpy.empty(min(len(asked) + 2 * len(edges), len(place)), numpy.int32)
    rows = numpy.empty(len(asked), numpy.int32)
    keys, values = numpy.empty(len(edges), numpy.int32), numpy.empty(len(edges), numpy.int32)
    count = 0
    for b in range(len(asked)):
        rows[b] = _number(asked[b], present, count, place)
        count = max(count, rows[b] + 1)
    for n in range(len(edges)):
        keys[n] = _number(owners[n], present, count, place)
        count = max(count, keys[n] + 1)
        values[n] = _number(entities[edges[n]], present, count, place)
        count = max(count, values[n] + 1)
    return rows, keys, values, present[:count].copy()


def find_memories(xp, index, asked, steps, memory_size, frequent):
    """Fused form of `kvnet.operations.find_memories`: one pass over the facts.

    Parameters, returns and references: see `kvnet.operations.find_memories`.
    """
    asked, entities = as_int32(asked), as_int32(index.entities)
    with _places.of(len(index.starts) - 1) as place:
        bounds, owners, edges, left_out = _collect(
            index.starts, entities, asked, steps, memory_size, frequent, place
        )
        rows, keys, values, present = _renumber(asked, owners, edges, entities, place)
    relations = index.relations[edges]
    return FactMemories(bounds, keys, values, relations, edges, rows, present, left_out)
