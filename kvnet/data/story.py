"""The lines of a bAbI story: sentences, with questions between them."""

from typing import NamedTuple


class Sentence(NamedTuple):
    """A statement.

    Attributes
    ----------
    text : str
        As in the file, with capital letter and full stop: ``"Mary moved to the bathroom."``
    """

    text: str


class Question(NamedTuple):
    """A question about the sentences above it in its story.

    Attributes
    ----------
    text : str
        As in the file, up to the tab: ``"Where is Mary? "`` (in some tasks with a trailing space).
    answer : str
        As in the file. An answer of several items is one string: ``"apple,football"``.
    supporting : tuple of int
        IDs of the sentences that the answer follows from, in the order of the file.
    """

    text: str
    answer: str
    supporting: tuple[int, ...]


Story = tuple[Sentence | Question, ...]
"""The lines of one story. The ID of a line is its position, counted from 1, questions included."""


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a sentence or question, in lower case and without the final mark.

    Parameters
    ----------
    text : str

    Returns
    -------
    words : tuple of str
    """
    return tuple(text.strip().removesuffix(".").removesuffix("?").lower().split())
