"""One question with its memory and its answer."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kvnet.data.story import Question, Story, answer_of, words_of
from kvnet.errors import InputError, shown

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
    texts : tuple of str
        The question, the slots and the answer, last, as they are written. Predicted words are
        spelled as in the texts that a model was trained on; without texts, in lower case.
    """

    question: Words
    keys: tuple[Words, ...]
    values: tuple[Words, ...]
    answer: str
    texts: tuple[str, ...] = ()

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
            If the story is one text instead of a sequence of sentences, or the answer is
            punctuation only.
        """
        texts = _texts("story", story)
        _check_texts(question, answer)
        slots = tuple(map(words_of, texts))
        word = _answer(answer)
        return cls(words_of(question), slots, slots, word, (question, *texts, answer))

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
            If keys or values are one text instead of a sequence, or the answer is punctuation
            only.
        """
        sides = _texts("keys", keys), _texts("values", values)
        _check_texts(question, answer)
        slots = (tuple(map(words_of, texts)) for texts in sides)
        texts = (question, *sides[0], *sides[1], answer)
        return cls(words_of(question), *slots, _answer(answer), texts)


def _texts(name, texts):
    if isinstance(texts, str):
        raise InputError(f"{name}={shown(texts)} is one text; give a list of texts, one per slot")
    texts = tuple(texts) if isinstance(texts, Iterable) else (None,)
    if not all(isinstance(text, str) for text in texts):
        raise InputError(f"{name} is not a list of texts; give one text (str) per slot")
    return texts


def _answer(text):
    answer = answer_of(text).lower()
    if text.strip() and not answer:
        raise InputError(f"answer={shown(text)} is punctuation only; give a word")
    return answer


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
        sentences, texts = [], []
        for line in story:
            if isinstance(line, Question):
                words, memory = words_of(line.text), tuple(sentences)
                answer, written = answer_of(line.answer), (line.text, *texts, line.answer)
                examples.append(Example(words, memory, memory, answer.lower(), written))
            else:
                sentences.append(words_of(line.text))
                texts.append(line.text)
    return examples
