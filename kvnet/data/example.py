"""One question with its memory and its answer."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kvnet.data.story import Question, Story, words_of
from kvnet.errors import InputError

Words = tuple[str, ...]


class Example(NamedTuple):
    """A question, a memory and an answer, as words.

    `of_story` and `of_memory` make one from text.

    Attributes
    ----------
    question : tuple of str
    keys, values : tuple of tuple of str
        The memory slots, oldest first. Slot i is addressed by ``keys[i]`` and returns
        ``values[i]``. On bAbI both are the sentences of the story.
    answer : str
        One word of the vocabulary, even if it lists several items: ``"apple,football"``. Empty for
        a question to be answered.
    """

    question: Words
    keys: tuple[Words, ...]
    values: tuple[Words, ...]
    answer: str

    @classmethod
    def of_story(cls, question: str, story: Sequence[str], answer: str = "") -> "Example":
        """Return an example whose slots hold the sentences of a story, as keys and as values.

        Parameters
        ----------
        question : str
        story : sequence of str
            Sentences, oldest first.
        answer : str, optional
            One word. Leave it out for a question to be answered.

        Returns
        -------
        example : Example

        Raises
        ------
        InputError
            If the story is one text instead of a sequence of sentences.
        """
        sentences = _slots("story", story)
        _check_texts(question, answer)
        return cls(words_of(question), sentences, sentences, answer.strip().lower())

    @classmethod
    def of_memory(
        cls, question: str, keys: Sequence[str], values: Sequence[str], answer: str = ""
    ) -> "Example":
        """Return an example with a memory whose keys and values differ.

        Parameters
        ----------
        question : str
        keys, values : sequence of str
            A slot is addressed by its key and returns its value.
        answer : str, optional
            One word. Leave it out for a question to be answered.

        Returns
        -------
        example : Example

        Raises
        ------
        InputError
            If keys or values are one text instead of a sequence.
        """
        slots = _slots("keys", keys), _slots("values", values)
        _check_texts(question, answer)
        return cls(words_of(question), *slots, answer.strip().lower())


def _slots(name, texts):
    if isinstance(texts, str):
        raise InputError(f"{name}={texts!r} is one text; give a list of texts, one per slot")
    texts = list(texts) if isinstance(texts, Iterable) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise InputError(f"{name} is not a list of texts; give one text (str) per slot")
    return tuple(words_of(text) for text in texts)


def _check_texts(question, answer):
    for name, text in (("question", question), ("answer", answer)):
        if not isinstance(text, str):
            raise InputError(f"{name} is a {type(text).__name__}; give a text (str)")


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
