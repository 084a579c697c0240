"""Stories of the simulator, a network that is trained on them, and what it reads for a question."""

import threading
import time
import warnings
from collections.abc import Mapping
from typing import NamedTuple

from kvnet.data.babi import embedded_task
from kvnet.data.babi_format import TASK_NAMES
from kvnet.data.example import Example
from kvnet.data.simulator import generate, solve
from kvnet.data.story import Question, Sentence, is_question
from kvnet.errors import InputError, shown
from kvnet.question_answerer import Answer, QuestionAnswerer
from kvnet.training.recipes.memn2n import MemN2NRecipe

QUESTIONS = 1000
"""Questions that a network is trained on, and as many others that it is tested on."""
RECIPE = MemN2NRecipe(
    hops=3, embedding_size=20, epochs=30, linear_start=10, halving_epochs=10, learning_rate=0.01
)
ASKED_PER_STORY = 20
"""More questions than any story of the simulator has."""
MOST_LINES = 500
CANDIDATES = 5


class Drawn(NamedTuple):
    """A story of the simulator, a sentence per line, and the last question about it."""

    text: str
    question: str


class TrainedNetwork(NamedTuple):
    """A network, the seconds of its training, and the share of test questions it answers."""

    answerer: QuestionAnswerer
    seconds: float
    accuracy: float


class Asked(NamedTuple):
    """A question and what was read for it.

    Attributes
    ----------
    answer : Answer
    sentences : list of str
    right : str or None
        The answer that follows from the story; None if the simulator does not know it.
    supporting : frozenset of int
        Positions of the sentences that it follows from, from 0.
    """

    answer: Answer
    sentences: list[str]
    right: str | None
    supporting: frozenset[int]


def task_names() -> dict[str, int]:
    """Return the tasks by what a list of them shows."""
    return {f"{task} {name.replace('-', ' ')}": task for task, name in TASK_NAMES.items()}


def draw(task: int, seed: int) -> Drawn:
    """Draw a story of a task, with a seed."""
    story = generate(task, ASKED_PER_STORY, seed, "laboratory")[0]
    last = max(index for index, line in enumerate(story) if isinstance(line, Question))
    sentences = [line.text for line in story[:last] if isinstance(line, Sentence)]
    return Drawn("\n".join(sentences), story[last].text.strip())


_networks: dict[int, TrainedNetwork] = {}
_lock = threading.Lock()


def network_for(task: int) -> TrainedNetwork:
    """Return a network that is trained on a task, from an earlier call if there was one."""
    with _lock:  # each open page has its own thread
        if task not in _networks:
            _networks[task] = _train(task)
        return _networks[task]


def _train(task):
    began, data = time.monotonic(), embedded_task(task, QUESTIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about stories longer than the memory
        answerer = QuestionAnswerer(RECIPE, kernels="reference").fit(data.train)
        seconds = time.monotonic() - began
        return TrainedNetwork(answerer, seconds, answerer.score(data.test))


def first_task(answerer: QuestionAnswerer) -> int | None:
    """Return the first task whose stories a network can read; None if there is none."""
    for task in TASK_NAMES:
        story = draw(task, 0)
        try:
            ask(answerer, *story)
        except InputError:
            continue
        return task
    return None


def ask(answerer: QuestionAnswerer, story: str, question: str) -> Asked:
    """Ask a network a question about a story.

    Parameters
    ----------
    answerer : QuestionAnswerer
    story : str
        A sentence per line; empty lines are skipped.
    question : str

    Raises
    ------
    InputError
        If the story or the question is empty, or has a word that the network does not know. The
        message names the line.
    """
    lines = [(n, line.strip()) for n, line in enumerate(story.splitlines(), 1) if line.strip()]
    if not lines:
        raise InputError("the story is empty; write a sentence, such as Mary went to the garden.")
    if len(lines) > MOST_LINES:
        raise InputError(f"the story has {len(lines):,} lines; write at most {MOST_LINES}")
    if not question.strip():
        raise InputError("there is no question; write one, such as Where is Mary?")
    for number, line in lines:
        if is_question(line):
            raise InputError(
                f"line {number} of the story, {shown(line)}, is a question; write it in the field "
                "of the question"
            )
        _check(answerer, f"line {number} of the story", line)
    _check(answerer, "the question", question.strip())
    sentences = [line for _, line in lines]
    top = min(CANDIDATES, len(answerer.vocabulary) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a long story; the heat map says it
        (answer,) = answerer.predict([Example.of_story(question, sentences)], top_k=top)
    return Asked(answer, sentences, *solution(sentences, question, answerer.vocabulary.spelling))


def _check(answerer, where, text):
    try:
        answerer.check_words(text)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def solution(
    sentences: list[str], question: str, spelling: Mapping[str, str] | None = None
) -> tuple[str | None, frozenset[int]]:
    """Return the answer by the rules of the simulator, and the sentences that it follows from.

    The answer is None if the simulator does not know the form of a sentence or of the question, or
    if they do not determine it.

    Parameters
    ----------
    sentences : list of str
    question : str
    spelling : mapping of str to str, optional
        How words in lower case are written, as `Vocabulary` has it: ``mary`` is ``Mary``.
    """
    spelling = spelling or {}
    lines = [Sentence(_written(line, ".", spelling)) for line in sentences]
    try:
        solved = solve(lines, Question(_written(question.strip(), "?", spelling), "", ()))
    except InputError:
        return None, frozenset()
    return solved.answer, frozenset(each - 1 for each in solved.supporting)


def _written(text, mark, spelling):
    """Return a sentence as the simulator writes it: names and the beginning in capital letters."""
    words = text.rstrip(".? ").split()
    text = " ".join(spelling.get(word, word) for word in words)
    return f"{text[:1].upper()}{text[1:]}{mark}"
