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
