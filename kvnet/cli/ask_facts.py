"""Answer questions about a knowledge base that are typed at the terminal."""

import sys

import numpy

from kvnet.cli.ask import check_decoded, edit_lines
from kvnet.cli.attention_picture import Attended, AttentionPicture
from kvnet.cli.curves import model_text
from kvnet.cli.picture import Picture
from kvnet.errors import InputError
from kvnet.fact_answerer import LEAST_PROBABILITY, FactAnswer, FactAnswerer

HELP = (
    "Type a question about one entity. Put its name in [brackets] if another name is longer. help "
    "shows this, quit ends."
)
SHOWN = 5


def ask_facts(answerer: FactAnswerer, picture: Picture | None = None) -> int:
    """Read questions from standard input and answer until it ends.

    Parameters
    ----------
    answerer : FactAnswerer
    picture : Picture, optional
        Gets the facts that are read for each question.

    Returns
    -------
    code : int
        0; 2 if a line of an input other than a terminal could not be used, or the picture not
        written.

    Raises
    ------
    InputError
        If standard input is closed.
    """
    if sys.stdin is None:
        raise InputError("--ask reads standard input, which is closed; type or pipe questions")
    if hasattr(sys.stdin, "reconfigure"):  # a byte that is not UTF-8 is reported, not shown
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    at_terminal = sys.stdin.isatty()
    if at_terminal:
        edit_lines()
        print(HELP)
    drawing = None
    if picture:
        drawing = AttentionPicture(picture, "fact", model_text(answerer.model, answerer.recipe))
    code = _read_lines(answerer, drawing, at_terminal)
    return drawing.finish(code) if drawing else code


def _read_lines(answerer, drawing, at_terminal):
    """Answer the questions on standard input; return the exit code."""
    number, code = 0, 0
    while True:
        try:
            line = input("> " if at_terminal else "").strip()
        except EOFError:
            if at_terminal:
                print()
            return code
        number += 1
        if not line:
            continue
        if line.lower() in ("quit", "exit"):
            return code
        if line.lower() == "help":
            print(HELP)
            continue
        try:
            check_decoded(line)
            answer = answerer.predict([line])[0]
            print(layout(answer), flush=True)
            if drawing:
                drawing.add(_attended(line, answer), at_terminal)
        except InputError as error:
            where = "" if at_terminal else f"line {number}: "
            print(f"{where}{error}", file=sys.stderr, flush=True)
            code = 0 if at_terminal else 2


def layout(answer: FactAnswer) -> str:
    """Lay out the best answers, and hop by hop the facts that were read with their weights."""
    lines = [f"({note})" for note in answer.notes]
    if answer.best is None:
        lines.append(f"not in the memory: no fact on the way from {answer.entity} answers this")
    for name, probability in answer.answers[:SHOWN]:
        if probability >= LEAST_PROBABILITY:
            lines.append(f"{name}  (probability {probability:.3f})")
    for number, facts in enumerate(answer.hops, start=1):
        lines.append(f"hop {number}")
        lines += [f"  {read.fact} {read.weight:.2f}" for read in facts[:SHOWN]] or ["  (no fact)"]
        if len(facts) > SHOWN:
            lines.append("  ...")
    return "\n".join(lines)


def _attended(question: str, answer: FactAnswer) -> Attended:
    """Return what the picture shows of an answer: the facts that each hop read."""
    facts = list(dict.fromkeys(str(read.fact) for hop in answer.hops for read in hop))
    weights = numpy.full((max(len(facts), 1), max(len(answer.hops), 1)), numpy.nan)
    for hop, found in enumerate(answer.hops):
        for read in found:
            weights[facts.index(str(read.fact)), hop] = read.weight
    best = "not in the memory"
    if answer.best is not None:
        best = f"{answer.best}  (probability {answer.answers[0].probability:.3f})"
    return Attended(question, best, facts or ["(no fact)"], weights)
