"""The lines of a bAbI story: sentences, with questions between them."""

import re
import unicodedata
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


END_MARKS = ".?!।॥۔؟。．！？…"
"""Marks that end a sentence. They are dropped there and are words elsewhere."""
QUESTION_MARKS = "?؟？"
OPENING = "([{«“„‘\"'¿¡"
CLOSING = END_MARKS + ",;:،؛、，；：)]}»”’\"'"
_MARKS = frozenset(OPENING + CLOSING)
_TOKEN = re.compile(
    f"(?P<before>[{re.escape(OPENING)}]*)(?P<word>.*?)(?P<after>[{re.escape(CLOSING)}]*)", re.DOTALL
)


def is_question(text: str) -> bool:
    """Return whether a line ends in a question mark."""
    return text.rstrip().endswith(tuple(QUESTION_MARKS))


def tokens_of(text: str) -> tuple[str, ...]:
    """Split a sentence or question into words and punctuation marks, as they are written.

    The marks at its end are dropped. Other marks around a word are tokens: ``Mary, who left.`` has
    the tokens ``Mary``, ``,``, ``who`` and ``left``. Marks inside a word stay: ``don't``, ``a,b``.

    Parameters
    ----------
    text : str

    Returns
    -------
    tokens : tuple of str
    """
    text, longer = unicodedata.normalize("NFC", text).rstrip(), ""
    while text != longer:  # marks and white space may alternate
        longer, text = text, text.rstrip(END_MARKS).rstrip()
    words = text.split()
    if _MARKS.isdisjoint(text):
        return tuple(words)
    return tuple(token for word in words for token in _split_marks(word))


def _split_marks(word):
    before, core, after = _TOKEN.fullmatch(word).groups()
    return [*before, *([core] if core else []), *after]


def words_of(text: str) -> tuple[str, ...]:
    """Return the tokens of a sentence or question in lower case; see `tokens_of`.

    Parameters
    ----------
    text : str

    Returns
    -------
    words : tuple of str
    """
    return tuple(token.lower() for token in tokens_of(text))


def answer_of(text: str) -> str:
    """Return an answer as it is shown: one word of the vocabulary, without marks around it.

    Parameters
    ----------
    text : str
        ``"Lima."``, or several items: ``"apple, football"``.

    Returns
    -------
    answer : str
        As written otherwise: ``"Lima"``, ``"apple,football"``. Empty if there are only marks.
    """
    tokens = list(tokens_of(text))
    while tokens and _MARKS.issuperset(tokens[0]):
        tokens.pop(0)
    while tokens and _MARKS.issuperset(tokens[-1]):
        tokens.pop()
    return " ".join(tokens).replace(" , ", ",")
