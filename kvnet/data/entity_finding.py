"""Find the entity that a question asks about."""

import unicodedata
from collections.abc import Collection
from typing import NamedTuple

from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.nearest_names import nearest_text
from kvnet.data.text_lines import MAX_NAME, shortened
from kvnet.errors import InputError

MARKER = "[]"
"""The word of a question's text at which its entity was."""
NO_SPACES_FROM = "\u2e80"  # scripts from here on, such as Chinese, write words without spaces
MOST_CHARACTERS = 10 * MAX_NAME


class Asked(NamedTuple):
    """A question split into its entity and its words.

    Attributes
    ----------
    entity : int
        Its id.
    text : str
        The question with `MARKER` in place of the entity.
    others : tuple of int
        Different entities whose names are as long: the question is ambiguous.
    """

    entity: int
    text: str
    others: tuple[int, ...] = ()


def words_of_question(text: str) -> tuple[str, ...]:
    """Return the words of a question, in lower case and without punctuation, and its markers.

    Parameters
    ----------
    text : str

    Returns
    -------
    words : tuple of str
    """
    before, *rest = text.lower().split(MARKER)
    words = _words(before)
    for part in rest:
        words += [MARKER, *_words(part)]
    return tuple(words)


def _words(text):
    words = (
        "".join(c if _is_of_word(c) else " " for c in word.strip("'-")) for word in text.split()
    )
    return [part for word in words for part in word.split()]


def _is_of_word(c):
    return c.isalnum() or c in "'-" or unicodedata.combining(c) > 0


def find_asked(
    text: str,
    base: KnowledgeBase,
    question_words: Collection[str] = (),
    all_words: bool = False,
) -> Asked | None:
    """Find the entity of a question: the name in brackets, or else the longest name in it.

    A name begins and ends where a word does. A name of words that questions consist of, such as a
    film ``Who``, counts only if there is no other name; in brackets it always counts.

    Parameters
    ----------
    text : str
    base : KnowledgeBase
    question_words : collection of str
        Words that questions consist of.
    all_words : bool
        Whether these are all: then a name of question words does not count either in a question
        that has another word, which can be the name of an entity that the base lacks.

    Returns
    -------
    asked : Asked or None
        None if there is no entity of the base.
    """
    first, last = text.find("["), text.rfind("]")
    if 0 <= first < last:
        entity = base.find(text[first + 1 : last].strip())
        if entity is None:
            return None
        return Asked(entity, f"{text[:first]} {MARKER} {text[last + 1 :]}")
    if len(text) > MOST_CHARACTERS:
        return None
    matches = _names_in(text, base)
    if question_words:
        proper = [m for m in matches if not _consists_of(text[m[0] : m[1]], question_words)]
        rest = [] if all_words and _other_words(text, question_words) else matches
        matches = proper or rest
    if not matches:
        return None
    longest = max(stop - start for start, stop, _ in matches)
    best = [match for match in matches if match[1] - match[0] == longest]
    start, stop, entity = best[0]
    others = dict.fromkeys(match[2] for match in best[1:] if match[2] != entity)
    return Asked(entity, f"{text[:start]} {MARKER} {text[stop:]}", tuple(others))


def ask_about(
    text: str,
    base: KnowledgeBase,
    where: str | None = None,
    question_words: Collection[str] = (),
    all_words: bool = False,
) -> Asked:
    """Find the entity of a question as `find_asked` does, or say why there is none.

    Parameters
    ----------
    text, base, question_words, all_words
        As for `find_asked`.
    where : str, optional
        Origin of the question, for messages.

    Returns
    -------
    asked : Asked

    Raises
    ------
    InputError
        If no entity is found; the message names the most similar names of the base.
    """
    prefix = "" if where is None else f"{where}: "
    shown = shortened(repr(text))
    asked = find_asked(text, base, question_words, all_words)
    if asked is not None:
        return asked
    first, last = text.find("["), text.rfind("]")
    if 0 <= first < last:
        name = text[first + 1 : last].strip()
        if "]" in name or "[" in name:
            raise InputError(
                f"{prefix}{shown} has several brackets; a question asks about one entity, put one "
                "name in brackets"
            )
        if not name:
            raise InputError(f"{prefix}{shown}: the brackets are empty; write a name in them")
        base.id_of(name, where)  # raises
    if len(text) > MOST_CHARACTERS:
        raise InputError(
            f"{prefix}the question {shown} has {len(text):,} characters; ask in at most "
            f"{MOST_CHARACTERS:,}"
        )
    unknown = " ".join(_other_words(text, question_words)) if all_words else ""
    subject = f"{shortened(repr(unknown))} in {shown}" if unknown else shown
    raise InputError(
        f"{prefix}{subject} names no entity of the base"
        f"{nearest_text(unknown or text, base.entities)}"
    )


def _names_in(text, base):
    """Return (start, stop, entity) of each name in a text, by start."""
    joins = [_joins(c) for c in text] + [False]
    starts = [
        i for i, c in enumerate(text) if not c.isspace() and not (i and joins[i - 1] and joins[i])
    ]
    stops = [
        i
        for i in range(1, len(text) + 1)
        if not text[i - 1].isspace() and not (joins[i - 1] and joins[i])
    ]
    longest, found, low = base.longest_name, [], 0
    for start in starts:
        while low < len(stops) and stops[low] <= start:
            low += 1
        for stop in stops[low:]:
            if stop - start > longest:
                break
            entity = base.find(text[start:stop])
            if entity is not None:
                found.append((start, stop, entity))
    return found


def _joins(c):
    """Return whether a character belongs to the word of the one next to it."""
    return c < NO_SPACES_FROM and (c.isalnum() or unicodedata.combining(c) > 0)


def _consists_of(name, question_words):
    return all(word in question_words for word in words_of_question(name))


def _other_words(text, question_words):
    return [word for word in text.split() if not _consists_of(word, question_words)]
