"""Stories as the bAbI files tell them: numbered sentences with questions in between."""

from typing import NamedTuple


class Sentence(NamedTuple):
    """A statement.

    Attributes
    ----------
    text : str
        As written, with its capital and its full stop: ``"Mary moved to the bathroom."``
    """

    text: str


class Question(NamedTuple):
    """A question about the sentences above it in its story.

    Attributes
    ----------
    text : str
        As written, up to the tab: ``"Where is Mary? "`` (some tasks have the trailing space).
    answer : str
        As written; several items stay one string: ``"apple,football"``.
    supporting : tuple of int
        IDs of the sentences that the answer follows from, in the file's order.
    """

    text: str
    answer: str
    supporting: tuple[int, ...]


Story = tuple[Sentence | Question, ...]
"""The lines of one story. A line's ID is its place, counted from 1; questions count too."""


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a sentence or question: lower case, without the final mark.

    Parameters
    ----------
    text : str

    Returns
    -------
    words : tuple of str
    """
    return tuple(text.strip().removesuffix(".").removesuffix("?").lower().split())
