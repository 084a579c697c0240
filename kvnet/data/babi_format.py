"""Read and write the bAbI file format.

A line is ``ID sentence`` or ``ID question TAB answer TAB supporting IDs``. IDs count from 1 in each
story.
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
"""Task number to the task's name in its file names."""


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
        If the file cannot be read or a line violates the format. The message names file and line.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if not content.strip():
        raise InputError(f"{path}: the file is empty; write lines like '1 Mary is here.'")
    stories, lines = [], []
    raw_lines = content.removeprefix(BOM_UTF8).rstrip().splitlines()
    for line_number, raw in enumerate(raw_lines, start=1):
        where = f"{path}, line {line_number}"
        line_id, line = _parse_line(raw, where)
        if line_id == 1 and lines:
            stories.append(tuple(lines))
            lines = []
        if line_id != len(lines) + 1:
            raise InputError(
                f"{where}: got ID {line_id}, expected ID {len(lines) + 1}; number the lines of a "
                "story 1, 2, 3, ..., and start each story at 1"
            )
        if isinstance(line, Question):
            if not any(isinstance(earlier, Sentence) for earlier in lines):
                raise InputError(
                    f"{where}: the question {line.text.strip()!r} comes before any sentence; add "
                    "the sentences of its story above it"
                )
            for fact in line.supporting:
                if not 1 <= fact < line_id or isinstance(lines[fact - 1], Question):
                    raise InputError(
                        f"{where}: supporting ID {fact} is not the ID of a sentence above the "
                        "question; give IDs of sentences of the same story"
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
        raise InputError(f"{where}: contains a zero byte; give a text file in the bAbI format")
    line_id, _, rest = text.partition(" ")
    if not _is_id(line_id):
        raise InputError(
            f"{where}: {text[:40]!r} does not start with an ID; write a line like '3 Mary is here.'"
        )
    if "\t" not in rest:
        if rest.rstrip().endswith("?"):
            raise InputError(
                f"{where}: the question {rest.strip()!r} is not followed by a tab and an answer; "
                "write 'question?<TAB>answer<TAB>supporting IDs'"
            )
        if not words_of(rest):
            raise InputError(
                f"{where}: ID {line_id} without a sentence; add one or delete the line"
            )
        return int(line_id), Sentence(rest.rstrip())
    question, answer, *more = rest.split("\t")
    if not question.rstrip().endswith("?"):
        raise InputError(
            f"{where}: a tab after {question.strip()!r}, which does not end with '?'; end a "
            "question with '?', or delete the tab"
        )
    if not words_of(question):
        raise InputError(
            f"{where}: no question text in {question.strip()!r} before the tab; write the question"
        )
    if not answer.strip():
        raise InputError(
            f"{where}: the question {question.strip()!r} has no answer after its tab; add one"
        )
    facts = " ".join(more).split()
    if not all(map(_is_id, facts)):
        raise InputError(
            f"{where}: supporting IDs {' '.join(facts)!r} are not line IDs; give integers "
            "separated by spaces"
        )
    return int(line_id), Question(question, answer.strip(), tuple(map(int, facts)))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def format_stories(stories: Iterable[Story]) -> str:
    """Return stories as text in the bAbI format.

    Parameters
    ----------
    stories : iterable of Story

    Returns
    -------
    text : str
        The content of a file; `read_stories` returns the same stories from it.
    """
    rows = []
    for story in stories:
        for line_id, line in enumerate(story, start=1):
            if isinstance(line, Sentence):
                rows.append(f"{line_id} {line.text}\n")
            else:
                facts = " ".join(map(str, line.supporting))
                rows.append(f"{line_id} {line.text}\t{line.answer}\t{facts}\n")
    return "".join(rows)
