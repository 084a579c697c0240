"""The world as the sentences so far have told it, and what a question about it comes to.

Every event changes the world with its ``happen`` method, every query reads it with ``solve``. The
stories use the same two as the reader does, so what is written is what is understood.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


class Solution(NamedTuple):
    """The answer to a question.

    Attributes
    ----------
    answer : str or None
        As the released files write it; None where the story does not say.
    supporting : tuple of int
        IDs of the lines that the answer follows from, in reasoning order.
    candidates : tuple of str
        Every answer that follows from the story, `answer` first. More than one where witnesses
        disagree (a frog that is green and one that is gray) or a place was visited twice.
    """

    answer: str | None
    supporting: tuple[int, ...]
    candidates: tuple[str, ...]


UNKNOWN = Solution(None, (), ())
"""What a question comes to when the story does not say."""


def certain(answer: str, *supporting: int) -> Solution:
    """Return the solution that leaves no choice.

    Parameters
    ----------
    answer : str
    *supporting : int

    Returns
    -------
    solution : Solution
    """
    return Solution(answer, supporting, (answer,))


class Stay(NamedTuple):
    """What is known of where an actor is.

    Attributes
    ----------
    places : tuple of str
        The place; two for "either in the school or the park".
    present : bool
        False for "no longer in the park": anywhere else.
    supporting : tuple of int
    """

    places: tuple[str, ...]
    present: bool
    supporting: tuple[int, ...]


class Handling(NamedTuple):
    """An object changed hands: taken, dropped or given.

    Attributes
    ----------
    line : int
    actor : str
        Who took, dropped or gave it.
    thing : str
    receiver : str or None
        Who has it now; None once dropped.
    """

    line: int
    actor: str
    thing: str
    receiver: str | None


class Noted(NamedTuple):
    """A word and the line that said it."""

    word: str
    line: int


class Relation(NamedTuple):
    """`subject` lies one `step` (right, up) from `reference`."""

    line: int
    subject: str
    step: tuple[int, int]
    reference: str


class Comparison(NamedTuple):
    """`small` fits inside `large`."""

    line: int
    small: str
    large: str


@dataclass(slots=True)
class World:
    """Everything that the sentences so far have told."""

    stays: dict[str, Stay] = field(default_factory=dict)
    """Actor to where they are."""
    named: tuple[str, ...] = ()
    """Whom "she" or "they" means: the actors of the last move that names them."""
    named_line: int = 0
    handlings: list[Handling] = field(default_factory=list)
    holders: dict[str, str | None] = field(default_factory=dict)
    """Object to who carries it; None where it lies about."""
    resting: dict[str, Stay | None] = field(default_factory=dict)
    """Object that lies about to where it was dropped."""
    trails: dict[str, list[Noted]] = field(default_factory=dict)
    """Object to the places that it has been carried to since it was last taken."""
    diaries: dict[str, dict[int, Noted]] = field(default_factory=dict)
    """Actor to the place of each time of day, 0 for yesterday."""
    relations: list[Relation] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    kinds: dict[str, Noted] = field(default_factory=dict)
    """Animal to its kind, in the order told."""
    colours: dict[str, Noted] = field(default_factory=dict)
    fears: dict[str, Noted] = field(default_factory=dict)
    """Kind to the kind that it is afraid of."""
    motives: dict[str, Noted] = field(default_factory=dict)
