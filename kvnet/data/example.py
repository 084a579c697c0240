"""One question with its memory and its answer."""

from collections.abc import Iterable
from typing import NamedTuple

from kvnet.data.story import Question, Story, words_of

Words = tuple[str, ...]


class Example(NamedTuple):
    """A question, a memory and an answer, as words.

    Attributes
    ----------
    question : tuple of str
    keys, values : tuple of tuple of str
        The memory slots, oldest first. Slot i is addressed by ``keys[i]`` and returns
        ``values[i]``. On bAbI both are the sentences of the story.
    answer : str
        One word of the vocabulary, even if it lists several items: ``"apple,football"``.
    """

    question: Words
    keys: tuple[Words, ...]
    values: tuple[Words, ...]
    answer: str


def examples_of(stories: Iterable[Story]) -> list[Example]:
    """Return one example per question; its memory holds all sentences above it in the story.

    Parameters
    ----------
    stories : iterable of Story

    Returns
    -------
    examples : list of Example
        In the order of the questions.
    """
    examples = []
    for story in stories:
        sentences = []
        for line in story:
            if isinstance(line, Question):
                memory = tuple(sentences)
                examples.append(Example(words_of(line.text), memory, memory, line.answer.lower()))
            else:
                sentences.append(words_of(line.text))
    return examples
