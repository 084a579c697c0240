"""Chains of relations, and the entities that they lead to.

A chain is written as a SPARQL property path: ``directed_by``, ``^directed_by`` for the relation
turned round, ``directed_by/^directed_by`` for one after the other.
"""

import numpy

from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.nearest_names import nearest_text
from kvnet.data.text_lines import shortened
from kvnet.errors import InputError

MOST_HOPS = 3


def parse_path(text: str, base: KnowledgeBase, where: str) -> tuple[int, ...]:
    """Return the relations of a chain.

    Parameters
    ----------
    text : str
        A relation may itself contain a ``/`` or begin with a ``^``: known names are found first.
    base : KnowledgeBase
        With R relations.
    where : str
        Origin of the text, for messages.

    Returns
    -------
    path : tuple of int
        One to three relations below 2 R; R and more are turned round.

    Raises
    ------
    InputError
        If a part is not a relation of the base, or there are too many.
    """
    numbers = {name: number for number, name in enumerate(base.relations)}
    numbers |= {"^" + name: number + len(numbers) for name, number in numbers.items()}
    path, rest = [], text.strip()
    while True:
        parts = rest.split("/")
        count = next((n for n in range(len(parts), 0, -1) if "/".join(parts[:n]) in numbers), None)
        if count is None:
            name = parts[0].removeprefix("^")
            raise InputError(
                f"{where}: {shortened(repr(name))} is not a relation of the base"
                f"{nearest_text(name, base.relations)}"
            )
        path.append(numbers["/".join(parts[:count])])
        if count == len(parts):
            break
        rest = "/".join(parts[count:])
    if len(path) > MOST_HOPS:
        raise InputError(
            f"{where}: {shortened(repr(text))} is a chain of {len(path)} relations; give at most "
            f"{MOST_HOPS}"
        )
    return tuple(path)


def format_path(path: tuple[int, ...], base: KnowledgeBase) -> str:
    """Return a chain of relations as text, as `parse_path` reads it."""
    R = len(base.relations)
    return "/".join(base.relations[r] if r < R else "^" + base.relations[r - R] for r in path)


def count_walks(base: KnowledgeBase, path: tuple[int, ...]) -> numpy.ndarray:
    """Return the number of ways along a chain from each entity.

    Parameters
    ----------
    base : KnowledgeBase
        With N entities.
    path : tuple of int

    Returns
    -------
    counts : (N,) float64 array
    """
    N = len(base.entities)
    counts = numpy.ones(N)
    for relation in reversed(path):
        sources, targets = _edges_of(base, relation)
        counts = numpy.bincount(sources, counts[targets], minlength=N)
    return counts


def follow(
    base: KnowledgeBase, path: tuple[int, ...], entities: numpy.ndarray
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return the entities at the end of a chain that starts at each of some entities.

    From the second step on, the entity at the start is dropped from every result, as MetaQA does.

    Parameters
    ----------
    base : KnowledgeBase
    path : tuple of int
    entities : (n,) int array
        The starts.

    Returns
    -------
    ends : (m,) int32 array
        The ends of all chains, one start after another; of each start different and sorted.
    starts : (n + 1,) int64 array
        Start i has ``ends[starts[i]:starts[i + 1]]``.
    """
    N, n = len(base.entities), len(entities)
    entities = numpy.asarray(entities, numpy.int64)
    rows, reached = numpy.arange(n), entities
    for step, relation in enumerate(path):
        sources, targets = _edges_of(base, relation)
        first = numpy.searchsorted(sources, reached)
        counts = numpy.searchsorted(sources, reached, "right") - first
        begins = numpy.cumsum(counts) - counts
        places = numpy.arange(counts.sum()) + numpy.repeat(first - begins, counts)
        rows, reached = numpy.repeat(rows, counts), targets[places].astype(numpy.int64)
        if step:
            other = reached != entities[rows]
            rows, reached = rows[other], reached[other]
        pairs = numpy.unique(rows * N + reached)
        rows, reached = pairs // N, pairs % N
    starts = numpy.concatenate([[0], numpy.cumsum(numpy.bincount(rows, minlength=n))])
    return reached.astype(numpy.int32), starts.astype(numpy.int64)


def _edges_of(base, relation):
    """Return the two ends of a relation's edges, sorted by the first."""
    places = numpy.flatnonzero(base.edge_relations == relation)
    sources = numpy.searchsorted(base.starts, places, "right") - 1
    return sources, base.edge_entities[places]
