"""The exact reader: from text to events and queries, and from a story to an answer."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from kvnet.data.simulator import kinds, motives, places, possessions, relations, sizes, times
from kvnet.data.simulator.world import Solution, World
from kvnet.data.story import Question, Sentence
from kvnet.errors import InputError

DOMAINS = (places, possessions, times, relations, sizes, kinds, motives)


def _forms(method: str) -> list[tuple[Any, Any]]:
    """List every wording of the classes that have a method: events happen, queries solve."""
    return [
        (wording, says)
        for domain in DOMAINS
        for says in vars(domain).values()
        if hasattr(says, "wordings") and hasattr(says, method)
        for wording in says.wordings
    ]


EVENT_FORMS = _forms("happen")
QUERY_FORMS = _forms("solve")


@lru_cache(maxsize=1 << 16)
def read_event(text: str) -> Any:
    """Find what a sentence says happened.

    Parameters
    ----------
    text : str
        ``"Mary moved to the garden."``

    Returns
    -------
    event : NamedTuple with a method ``happen(world, line)``
    """
    return _read(text, EVENT_FORMS, "sentence")


@lru_cache(maxsize=1 << 16)
def read_query(text: str) -> Any:
    """Find what a question asks.

    Parameters
    ----------
    text : str
        ``"Where is Mary? "``

    Returns
    -------
    query : NamedTuple with a method ``solve(world)``
    """
    return _read(text, QUERY_FORMS, "question")


def _read(text: str, forms: list[tuple[Any, Any]], role: str) -> Any:
    for wording, says in forms:
        fields = wording.read(text)
        if fields is not None:
            return says(**fields)
    raise InputError(
        f"the {role} {text.strip()!r} is none that the reader knows; it reads the forms of the 20 "
        "bAbI tasks"
    )


def solve(story: Sequence[Sentence | Question], question: Question) -> Solution:
    """Read a story and answer a question exactly.

    Every sentence is replayed as an event in the world model that the simulator tells its stories
    from. The kind of question is read off its text.

    Parameters
    ----------
    story : sequence of Sentence or Question
        The lines above the question. A question among them says nothing, but counts as a line.
    question : Question
        Only its text is looked at.

    Returns
    -------
    solution : Solution
        Its `supporting` are line IDs, counted from 1; its `candidates` are more than one where more
        than one answer follows.

    Raises
    ------
    InputError
        If a line has none of the forms that the 20 tasks use.
    """
    query = read_query(question.text)
    world = World()
    for line, told in enumerate(story, start=1):
        if isinstance(told, Sentence):
            read_event(told.text).happen(world, line)
    return query.solve(world)
