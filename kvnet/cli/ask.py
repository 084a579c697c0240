"""Answer questions typed at the terminal."""

import sys
from pathlib import Path

from kvnet.data.example import Example
from kvnet.errors import InputError
from kvnet.question_answerer import Answer, QuestionAnswerer

HELP = (
    "Type a story, one sentence per line. A line that ends in ? is a question about it. An empty "
    "line begins a new story."
)


def ask(path: Path, backend: str, kernels: str) -> int:
    """Read sentences and questions from standard input and answer until it ends.

    Parameters
    ----------
    path : Path
        A checkpoint.
    backend : {"numpy", "cupy", "auto"}
    kernels : {"reference", "fused", "auto"}

    Returns
    -------
    code : int
        0; 2 if a line of an input other than a terminal could not be used.

    Raises
    ------
    InputError
        If the checkpoint cannot be read.
    """
    answerer = QuestionAnswerer.load(path, backend, kernels)
    if sys.stdin is None:
        raise InputError("--ask reads standard input, which is closed; type or pipe a story")
    at_terminal = sys.stdin.isatty()
    if at_terminal:
        print(HELP)
    story, code = [], 0
    while True:
        try:
            line = input("> " if at_terminal else "").strip()
        except EOFError:
            return code
        try:
            if not line:
                story = []
            elif line.endswith("?"):
                print(
                    _layout(answerer.predict([Example.of_story(line, story)])[0], story), flush=True
                )
            else:
                answerer.check_words(line)
                story.append(line)
        except InputError as error:
            print(error, file=sys.stderr, flush=True)
            code = 0 if at_terminal else 2


def _layout(answer: Answer, story: list[str]) -> str:
    """Lay out the answer, its probability, and the attention of each hop to each sentence."""
    hops, slots = answer.attention.shape
    lines = [f"{answer.word}  (probability {answer.probability:.3f})"]
    lines.append(" ".join(f"hop {hop + 1}" for hop in range(hops)))
    first = len(story) - slots
    for number in range(first, len(story)):
        weights = answer.attention[:, len(story) - 1 - number]  # slot 0 is the most recent
        lines.append(f"{_weights(weights)}  {number + 1} {story[number]}")
    empty = 1 - answer.attention.sum(axis=1)
    if empty.max() > 0.005:
        lines.append(f"{_weights(empty)}  (empty slots)")
    return "\n".join(lines)


def _weights(weights):
    return " ".join(f"{weight:5.2f}" for weight in weights)
