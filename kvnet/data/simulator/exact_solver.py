"""The exact solver: parse text into events and queries, and answer questions about a story."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from kvnet.data.simulator import kinds, motives, places, possessions, relations, sizes, times
from kvnet.data.simulator.world import Solution, World
from kvnet.data.story import Question, Sentence
from kvnet.errors import InputError

MODULES = (places, possessions, times, relations, sizes, kinds, motives)
"""The modules that define events and queries."""


def _forms(method: str) -> list[tuple[Any, Any]]:
    """Return (wording, class) of every event (method "apply") or every query ("solve")."""
    return [
        (wording, member)
        for module in MODULES
        for member in vars(module).values()
        if hasattr(member, "wordings") and hasattr(member, method)
        for wording in member.wordings
    ]


EVENT_FORMS = _forms("apply")
QUERY_FORMS = _forms("solve")


@lru_cache(maxsize=1 << 16)
def parse_event(text: str) -> Any:
    """Return the event that a sentence states.

    Parameters
    ----------
    text : str
        For example ``"Mary moved to the garden."``

    Returns
    -------
    event : NamedTuple with a method ``apply(world, line)``

    Raises
    ------
    InputError
        If the sentence has none of the forms of the 20 tasks.
    """
    return _parse(text, EVENT_FORMS, "sentence")


@lru_cache(maxsize=1 << 16)
def parse_query(text: str) -> Any:
    """Return the query that a question expresses.

    Parameters
    ----------
    text : str
        For example ``"Where is Mary? "``

    Returns
    -------
    query : NamedTuple with a method ``solve(world)``

    Raises
    ------
    InputError
        If the question has none of the forms of the 20 tasks.
    """
    return _parse(text, QUERY_FORMS, "question")


def _parse(text: str, forms: list[tuple[Any, Any]], role: str) -> Any:
    for wording, meaning in forms:
        fields = wording.parse(text)
        if fields is not None:
            return meaning(**fields)
    raise InputError(
        f"the {role} {text.strip()!r} has none of the forms of the 20 bAbI tasks; use one of them"
    )


def solve(story: Sequence[Sentence | Question], question: Question) -> Solution:
    """Answer a question about a story exactly.

    Every sentence is parsed into an event, and the events are applied in order to the same world
    model that the story generators use. The type of the question is determined from its text.

    Parameters
    ----------
    story : sequence of Sentence or Question
        The lines above the question. Questions among them are skipped but count as lines.
    question : Question
        Only its text is used.

    Returns
    -------
    solution : Solution
        `supporting` holds line IDs, counted from 1. `candidates` holds more than one answer if more
        than one follows from the story.

    Raises
    ------
    InputError
        If a sentence or the question has none of the forms of the 20 tasks.
    """
    query = parse_query(question.text)
    world = World()
    for line_id, line in enumerate(story, start=1):
        if isinstance(line, Sentence):
            parse_event(line.text).apply(world, line_id)
    return query.solve(world)
