"""Facts indexed by entity, weighted entities, and what a question chooses to read."""

from typing import NamedTuple

import numpy


class FactIndex(NamedTuple):
    """The facts of a knowledge base as compressed sparse rows by entity, in both directions.

    A row of an entity is an edge: the key is the entity with the relation, the value is the entity
    at the other end.

    Attributes
    ----------
    starts : (N + 1,) int64 array
        Entity e has the edges ``starts[e]`` to ``starts[e + 1]``.
    relations : (2F,) integer array
        The relation of each edge; one that is read from object to subject is another relation.
    entities : (2F,) integer array
        The entity at the other end.
    """

    starts: numpy.ndarray
    relations: numpy.ndarray
    entities: numpy.ndarray


class Plan(NamedTuple):
    """What each question reads in each hop. The gradient of a plan is a `Plan` too.

    Attributes
    ----------
    relations : (H, B, R) float array
        The weight of each relation, from 0 to 1.
    drops : (H, B) float array
        The share by which the weight of the entity asked about is reduced after a hop.
    hops : (B, H) float array
        The weight of each hop as the one that reads the answers; sums to 1.
    """

    relations: numpy.ndarray
    drops: numpy.ndarray
    hops: numpy.ndarray


class Candidates(NamedTuple):
    """The entities that questions have reached, question by question.

    Attributes
    ----------
    starts : (B + 1,) int64 array
        Question b has the entities ``starts[b]`` to ``starts[b + 1]``.
    entities : (n,) integer array
        All different for one question.
    """

    starts: numpy.ndarray
    entities: numpy.ndarray


class FactMemories(NamedTuple):
    """One memory of facts per question, question by question, without padding.

    Attributes
    ----------
    starts : (B + 1,) int64 array
        Question b has the slots ``starts[b]`` to ``starts[b + 1]``.
    keys, values : (n,) int32 array
        The entity in each slot's key, and its value: positions in `present`.
    relations : (n,) int32 array
        The relation in each slot's key.
    edges : (n,) int64 array
        The position of the fact in the index.
    asked : (B,) int32 array
        The entity that each question is about: a position in `present`.
    present : (P,) int32 array
        The different entities of all memories.
    left_out : (B,) int64 array
        The number of facts that had no room.
    """

    starts: numpy.ndarray
    keys: numpy.ndarray
    values: numpy.ndarray
    relations: numpy.ndarray
    edges: numpy.ndarray
    asked: numpy.ndarray
    present: numpy.ndarray
    left_out: numpy.ndarray
