"""Read and write the bAbI file format.

A line is ``ID sentence`` or ``ID question TAB answer TAB supporting IDs``. IDs count from 1 in each
story.
"""

from collections.abc import Iterable
from pathlib import Path

from kvnet.data.lines import read_lines
from kvnet.data.story import (
    Question,
    Sentence,
    Story,
    answer_of,
    is_question,
    words_of,
)
from kvnet.errors import InputError, shown

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
    """Read a bAbI file. Blank lines may separate its stories.

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
    stories, lines, blank, before = [], [], False, str(path)
    for where, text in read_lines(path, "write lines like '1 Mary is here.'"):
        if not text.strip():
            blank = True
            continue
        line_id, line = _parse_line(text, where)
        if blank and line_id != 1:
            raise InputError(
                f"{where}: got ID {line_id} after a blank line; a blank line may only end a story, "
                "so delete it, or number the lines below it 1, 2, 3, ..."
            )
        blank = False
        if line_id == 1 and lines:
            stories.append(_checked(lines, before))
            lines = []
        if line_id != len(lines) + 1:
            raise InputError(
                f"{where}: got ID {line_id}, expected ID {len(lines) + 1}; number the lines of a "
                "story 1, 2, 3, ..., and start each story at 1"
            )
        if isinstance(line, Question):
            if not any(isinstance(earlier, Sentence) for earlier in lines):
                raise InputError(
                    f"{where}: the question {shown(line.text.strip())} comes before any sentence; "
                    "add the sentences of its story above it"
                )
            for fact in line.supporting:
                if not 1 <= fact < line_id or isinstance(lines[fact - 1], Question):
                    raise InputError(
                        f"{where}: supporting ID {fact} is not the ID of a sentence above the "
                        "question; give IDs of sentences of the same story"
                    )
        lines.append(line)
        before = where
    return [*stories, _checked(lines, before)]


def _checked(lines: list, where: str) -> Story:
    """Return the lines of a story as a story, which has a question."""
    if not any(isinstance(line, Question) for line in lines):
        raise InputError(
            f"{where}: the story that ends here has no question; add one, or delete the story"
        )
    return tuple(lines)


def _parse_line(text: str, where: str) -> tuple[int, Sentence | Question]:
    line_id, _, rest = text.partition(" ")
    if not _is_id(line_id):
        raise InputError(
            f"{where}: {shown(text)} does not start with an ID; write a line like '3 Mary is here.'"
        )
    if "\t" not in rest:
        if is_question(rest):
            raise InputError(
                f"{where}: the question {shown(rest.strip())} is not followed by a tab and an "
                "answer; write 'question?<TAB>answer<TAB>supporting IDs'"
            )
        if not words_of(rest):
            raise InputError(
                f"{where}: ID {line_id} without a sentence; add one or delete the line"
            )
        return int(line_id), Sentence(rest.rstrip())
    question, answer, *more = rest.split("\t")
    if not is_question(question):
        raise InputError(
            f"{where}: a tab after {shown(question.strip())}, which does not end with '?'; end a "
            "question with '?', or delete the tab"
        )
    if not words_of(question):
        raise InputError(
            f"{where}: no question text in {shown(question.strip())} before the tab; write the "
            "question"
        )
    if not answer.strip():
        raise InputError(
            f"{where}: the question {shown(question.strip())} has no answer after its tab; add one"
        )
    if not answer_of(answer):
        raise InputError(
            f"{where}: the answer {shown(answer.strip())} is punctuation only; write the answer"
        )
    if len(more) > 1:
        raise InputError(
            f"{where}: {len(more) + 2} fields separated by tabs after the ID; write "
            "'question?<TAB>answer<TAB>supporting IDs', the IDs separated by spaces"
        )
    facts = " ".join(more).split()
    if not all(map(_is_id, facts)):
        raise InputError(
            f"{where}: supporting IDs {shown(' '.join(facts))} are not line IDs; give integers "
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
