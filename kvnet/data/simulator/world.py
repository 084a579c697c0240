"""The state of the world after the sentences so far, and the solution of a query about it.

Every event changes the world in its method ``apply``. Every query reads the world in its method
``solve``. The story generators and the exact solver use the same two methods, so generated answers
and solved answers agree.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


class Solution(NamedTuple):
    """The answer to a question.

    Attributes
    ----------
    answer : str or None
        Spelled as in the released files. None if the story does not determine it.
    supporting : tuple of int
        IDs of the lines that the answer follows from, in reasoning order.
    candidates : tuple of str
        Every answer that follows from the story, `answer` first. There is more than one if facts
        disagree (one frog is green, another is gray) or an actor visited a place twice.
    """

    answer: str | None
    supporting: tuple[int, ...]
    candidates: tuple[str, ...]


UNKNOWN = Solution(None, (), ())
"""The solution of a question that the story does not answer."""


def certain(answer: str, *supporting: int) -> Solution:
    """Return a solution whose only candidate is `answer`.

    Parameters
    ----------
    answer : str
    *supporting : int
        Line IDs.

    Returns
    -------
    solution : Solution
    """
    return Solution(answer, supporting, (answer,))


class Location(NamedTuple):
    """What is known about where an actor is.

    Attributes
    ----------
    places : tuple of str
        The place, or two places after "either in the school or the park".
    present : bool
        False after "no longer in the park": the actor is in any other place.
    supporting : tuple of int
        Line IDs.
    """

    places: tuple[str, ...]
    present: bool
    supporting: tuple[int, ...]


class Transfer(NamedTuple):
    """A change of an object's holder: the object was taken, dropped or given.

    Attributes
    ----------
    line : int
        Line ID.
    actor : str
        The actor who took, dropped or gave the object.
    thing : str
        The object.
    receiver : str or None
        The actor who holds the object afterwards. None if it was dropped.
    """

    line: int
    actor: str
    thing: str
    receiver: str | None


class Fact(NamedTuple):
    """A word and the ID of the line that states it."""

    word: str
    line: int


class Relation(NamedTuple):
    """A stated relation: `subject` lies one `step` (right, up) from `reference`."""

    line: int
    subject: str
    step: tuple[int, int]
    reference: str


class Comparison(NamedTuple):
    """A stated comparison: `small` fits inside `large`."""

    line: int
    small: str
    large: str


@dataclass(slots=True)
class World:
    """The state of the world after the sentences so far."""

    locations: dict[str, Location] = field(default_factory=dict)
    """Actor to location."""
    antecedents: tuple[str, ...] = ()
    """The actors that "he", "she" or "they" refers to: those of the last move that names them."""
    antecedent_line: int = 0
    """ID of the line that names the antecedents."""
    transfers: list[Transfer] = field(default_factory=list)
    """All transfers, in the order of the lines."""
    holders: dict[str, str | None] = field(default_factory=dict)
    """Object to the actor who carries it. None if it was dropped."""
    drop_locations: dict[str, Location | None] = field(default_factory=dict)
    """Object to the location where it was last dropped. None if the location is not known."""
    trails: dict[str, list[Fact]] = field(default_factory=dict)
    """Object to the places that it has been carried to since it was last taken."""
    visits: dict[str, dict[int, Fact]] = field(default_factory=dict)
    """Actor to a dict from the index of a time of day (0 is yesterday) to the place."""
    relations: list[Relation] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    kinds: dict[str, Fact] = field(default_factory=dict)
    """Animal to its kind, in the order of the lines."""
    colours: dict[str, Fact] = field(default_factory=dict)
    """Animal to its colour."""
    fears: dict[str, Fact] = field(default_factory=dict)
    """Kind to the kind that it is afraid of."""
    motives: dict[str, Fact] = field(default_factory=dict)
    """Actor in lower case to the actor's motive."""
