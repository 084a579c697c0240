"""Answer questions typed at the terminal."""

import sys
import warnings
from pathlib import Path

import numpy

from kvnet.cli.attention_picture import Attended, AttentionPicture
from kvnet.cli.curves import model_text
from kvnet.cli.picture import Picture
from kvnet.data.example import Example
from kvnet.data.story import is_question, words_of
from kvnet.errors import InputError, shown
from kvnet.question_answerer import Answer, QuestionAnswerer

HELP = (
    "Type a story, one sentence per line. A line that ends in ? is a question about it. An empty "
    "line begins a new story. help shows this, quit ends."
)


LEAST_EMPTY = 0.005  # the weight of the empty slots, from which it is shown
QUESTION_WORDS = {"where", "what", "who", "whom", "whose", "why", "how", "which"}
QUESTION_WORDS |= {"is", "are", "was", "were", "am", "do", "does", "did"}
"""Words that hardly ever begin a sentence of a story."""


def ask(path: Path, backend: str, kernels: str, picture: Picture | None = None) -> int:
    """Read sentences and questions from standard input and answer until it ends.

    Parameters
    ----------
    path : Path
        A checkpoint.
    backend : {"numpy", "cupy", "auto"}
    kernels : {"reference", "fused", "auto"}
    picture : Picture, optional
        Gets the attention for each question.

    Returns
    -------
    code : int
        0; 2 if a line of an input other than a terminal could not be used, or the picture not
        written.

    Raises
    ------
    InputError
        If the checkpoint cannot be read.
    """
    answerer = QuestionAnswerer.load(path, backend, kernels)
    if sys.stdin is None:
        raise InputError("--ask reads standard input, which is closed; type or pipe a story")
    if hasattr(sys.stdin, "reconfigure"):  # a byte that is not UTF-8 is reported, not shown
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    at_terminal = sys.stdin.isatty()
    say = print if at_terminal else lambda text: None
    if at_terminal:
        edit_lines()
        print(HELP)
    drawing = None
    if picture:
        drawing = AttentionPicture(picture, "sentence", model_text(answerer.model, answerer.recipe))
    conversation = _Conversation(answerer, say, drawing, at_terminal)
    code = _read_lines(conversation, at_terminal)
    return drawing.finish(code) if drawing else code


def _read_lines(conversation, at_terminal):
    """Give the lines of standard input to a conversation; return the exit code."""
    number, code = 0, 0
    while True:
        try:
            line = input("> " if at_terminal else "").strip()
        except EOFError:
            if at_terminal:
                print()
            return code
        number += 1
        if line.lower() in ("quit", "exit"):
            return code
        try:
            conversation.take(line)
        except InputError as error:
            where = "" if at_terminal else f"line {number}: "
            print(f"{where}{error}", file=sys.stderr, flush=True)
            code = 0 if at_terminal else 2


def edit_lines() -> None:
    """Let the arrow keys edit a line and recall earlier ones, where Python has readline."""
    try:
        import readline  # noqa: F401  (input uses it once it is imported)
    except ImportError:
        return


def check_decoded(line: str) -> None:
    """Raise an `InputError` if a line, read with ``surrogateescape``, was not UTF-8."""
    undecodable = next((c for c in line if "\udc80" <= c <= "\udcff"), None)
    if undecodable:
        raise InputError(
            f"byte 0x{ord(undecodable) & 0xFF:02x} is not UTF-8; set the terminal, or save the "
            "file, as UTF-8"
        )


class _Conversation:
    """The story so far."""

    def __init__(self, answerer: QuestionAnswerer, say, drawing, at_terminal: bool):
        self.answerer, self.say, self.story = answerer, say, []
        self.drawing, self.at_terminal = drawing, at_terminal

    def take(self, line: str) -> None:
        """Take one line: a command, a question or a sentence."""
        check_decoded(line)
        if line.lower() == "help":
            print(HELP)
        elif not line:
            self._begin()
        elif is_question(line):
            self._answer(line)
        else:
            self._add(line)

    def _begin(self):
        if self.story:
            self.say(f"(new story; {_sentences(len(self.story))} forgotten)")
        self.story = []

    def _add(self, line):
        if QUESTION_WORDS.intersection(words_of(line)[:1]):
            raise InputError(
                f"{shown(line)} begins like a question; end it with ?, or begin the sentence with "
                "another word"
            )
        self.answerer.check_words(line)
        self.story.append(line)
        self.say(f"(sentence {len(self.story)})")

    def _answer(self, line):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a long story; the layout says it
            (answer,) = self.answerer.predict([Example.of_story(line, self.story)])
        print(_layout(answer, self.story), flush=True)
        if self.drawing:
            self.drawing.add(_attended(line, answer, self.story), self.at_terminal)


def _sentences(count):
    return f"{count} sentence{'s' * (count != 1)}"


def _layout(answer: Answer, story: list[str]) -> str:
    """Lay out the answer, its probability, and the attention of each hop to each sentence."""
    hops, slots = answer.attention.shape
    lines = [f"{answer.word}  (probability {answer.probability:.3f})"]
    lines.append(" ".join(f"hop {hop + 1}" for hop in range(hops)))
    first = len(story) - slots
    if first > 0:
        lines.append(f"(the memory has {slots} slots: {_sentences(first)} above these not read)")
    for number in range(first, len(story)):
        weights = answer.attention[:, len(story) - 1 - number]  # slot 0 is the most recent
        lines.append(f"{_weights(weights)}  {number + 1} {story[number]}")
    empty = 1 - answer.attention.sum(axis=1)
    if empty.max() > LEAST_EMPTY:
        lines.append(f"{_weights(empty)}  (empty slots)")
    return "\n".join(lines)


def _attended(question: str, answer: Answer, story: list[str]) -> Attended:
    """Return what the picture shows of an answer: the slots that `_layout` lists."""
    weights = answer.attention[:, : len(story)].T[::-1]  # the most recent sentence is the last
    first = len(story) - len(weights)
    labels = [f"{number + 1} {story[number]}" for number in range(first, len(story))]
    empty = 1 - answer.attention.sum(axis=1)
    if empty.max() > LEAST_EMPTY:
        labels, weights = [*labels, "(empty slots)"], numpy.vstack([weights, empty])
    return Attended(
        question, f"{answer.word}  (probability {answer.probability:.3f})", labels, weights
    )


def _weights(weights):
    return " ".join(f"{weight:5.2f}" for weight in weights)
