"""One question with the memory it is asked of, and its answer."""

from collections.abc import Iterable
from typing import NamedTuple

from kvnet.data.story import Question, Story, words_of

Words = tuple[str, ...]


class Example(NamedTuple):
    """A question, a memory and an answer, in words.

    Attributes
    ----------
    question : tuple of str
    keys, values : tuple of tuple of str
        The memory's slots, oldest first; ``values[i]`` is read where ``keys[i]`` matches. On bAbI
        both are the story's sentences.
    answer : str
        One word of the vocabulary, even where it looks like several: ``"apple,football"``.
    """

    question: Words
    keys: tuple[Words, ...]
    values: tuple[Words, ...]
    answer: str


def examples_of(stories: Iterable[Story]) -> list[Example]:
    """Make one example a question; its memory is every sentence of the story above it.

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
