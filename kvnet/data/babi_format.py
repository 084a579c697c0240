"""The bAbI file format, read and written.

A line is ``ID sentence`` or ``ID question TAB answer TAB supporting IDs``; IDs count from 1 and
start again with each story.
"""

from codecs import BOM_UTF8
from collections.abc import Iterable
from pathlib import Path

from kvnet.data.story import Question, Sentence, Story, words_of
from kvnet.errors import InputError

TASK_NAMES = {
    1: "single-supporting-fact",
    2: "two-supporting-facts",
    3: "three-supporting-facts",
    4: "two-arg-relations",
    5: "three-arg-relations",
    6: "yes-no-questions",
    7: "counting",
    8: "lists-sets",
    9: "simple-negation",
    10: "indefinite-knowledge",
    11: "basic-coreference",
    12: "conjunction",
    13: "compound-coreference",
    14: "time-reasoning",
    15: "basic-deduction",
    16: "basic-induction",
    17: "positional-reasoning",
    18: "size-reasoning",
    19: "path-finding",
    20: "agents-motivations",
}
"""Task number to the name that its files carry."""


def file_name(task: int, split: str) -> str:
    """Return the released name of a task's file: ``qa1_single-supporting-fact_train.txt``.

    Parameters
    ----------
    task : int
        1 to 20.
    split : {"train", "test"}

    Returns
    -------
    name : str
    """
    return f"qa{task}_{TASK_NAMES[task]}_{split}.txt"


def read_stories(path: str | Path) -> list[Story]:
    """Read a bAbI file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    stories : list of Story

    Raises
    ------
    InputError
        If the file cannot be read or a line breaks the format; the message names file and line.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if not content.strip():
        raise InputError(f"{path}: the file is empty; expected lines like '1 Mary is here.'")
    stories, lines = [], []
    for number, raw in enumerate(content.removeprefix(BOM_UTF8).rstrip().splitlines(), start=1):
        where = f"{path}, line {number}"
        line_id, line = _parse_line(raw, where)
        if line_id == 1 and lines:
            stories.append(tuple(lines))
            lines = []
        if line_id != len(lines) + 1:
            raise InputError(
                f"{where}: ID {line_id} after ID {len(lines)}; IDs count up by one "
                "and a new story starts again at 1"
            )
        if isinstance(line, Question):
            if not any(isinstance(earlier, Sentence) for earlier in lines):
                raise InputError(f"{where}: a question before any sentence; add the story above it")
            for fact in line.supporting:
                if not 1 <= fact < line_id or isinstance(lines[fact - 1], Question):
                    raise InputError(
                        f"{where}: supporting ID {fact} is no sentence above the question; "
                        "name sentences of this story"
                    )
        lines.append(line)
    stories.append(tuple(lines))
    return stories


def _parse_line(raw: bytes, where: str) -> tuple[int, Sentence | Question]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8 text"
        ) from None
    if "\0" in text:
        raise InputError(f"{where}: holds a zero byte; expected a text file in the bAbI format")
    number, _, rest = text.partition(" ")
    if not _is_id(number):
        raise InputError(
            f"{where}: no ID at its start: {text[:40]!r}; write it like '3 Mary is here.'"
        )
    if "\t" not in rest:
        if rest.rstrip().endswith("?"):
            raise InputError(
                f"{where}: the question {rest.strip()!r} has no tab and answer after it; "
                "write 'question?<TAB>answer<TAB>supporting IDs'"
            )
        if not words_of(rest):
            raise InputError(f"{where}: ID {number} without a sentence; add one or drop the line")
        return int(number), Sentence(rest.rstrip())
    question, answer, *more = rest.split("\t")
    if not question.rstrip().endswith("?"):
        raise InputError(
            f"{where}: a tab after {question.strip()!r}, which ends in no '?'; end a question with "
            "'?', or drop the tab"
        )
    if not words_of(question):
        raise InputError(f"{where}: no question before the tab; write it there")
    if not answer.strip():
        raise InputError(
            f"{where}: the question {question.strip()!r} has no answer after its tab; add it"
        )
    facts = " ".join(more).split()
    if not all(map(_is_id, facts)):
        raise InputError(
            f"{where}: supporting IDs {' '.join(facts)!r} are not whole numbers; "
            "separate them with spaces"
        )
    return int(number), Question(question, answer.strip(), tuple(map(int, facts)))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def format_stories(stories: Iterable[Story]) -> str:
    """Write stories in the bAbI format.

    Parameters
    ----------
    stories : iterable of Story

    Returns
    -------
    text : str
        The content of a file; ``read_stories`` gives the same stories back.
    """
    rows = []
    for story in stories:
        for number, line in enumerate(story, start=1):
            if isinstance(line, Sentence):
                rows.append(f"{number} {line.text}\n")
            else:
                facts = " ".join(map(str, line.supporting))
                rows.append(f"{number} {line.text}\t{line.answer}\t{facts}\n")
    return "".join(rows)
