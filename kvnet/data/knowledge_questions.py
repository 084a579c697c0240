"""Questions about a knowledge base, as arrays of entity ids and rows of different texts."""

import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy

from kvnet.data.entity_finding import Asked, ask_about, find_asked, words_of_question
from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.text_lines import read_lines, shortened
from kvnet.errors import InputError

NOT_IN_BASE = -1
"""The id of an entity that the base lacks. It counts in a score: no model can find it."""
WAYS_WITH_UNKNOWN = ("keep", "refuse")
FREQUENT = 0.002
"""Share of a file's questions that have a word, from which on it is one of questions."""
NUMBERED = re.compile(r"\d+ ")
SPLITS = {"train": "training", "dev": "validation", "test": "testing"}


class Questions(NamedTuple):
    """Questions about a base.

    Attributes
    ----------
    texts : list of tuple of str
        The different texts as words; ``[]`` is at the place of the entity.
    text_rows : (Q,) int32 array
        The text of each question, a row of `texts`.
    entities : (Q,) int32 array
        The entity that each question is about, or `NOT_IN_BASE`.
    answers : (A,) int32 array
        The answers of all questions, one question after another: entities, or `NOT_IN_BASE`.
    answer_starts : (Q + 1,) int64 array
        Question q has the answers ``answer_starts[q]`` to ``answer_starts[q + 1]``.
    types : list of str or None
        The type of each question, if the types are known.
    hops : (Q,) int32 array
        The number of facts on the way to the answers; 0 where it is not known.
    """

    texts: list[tuple[str, ...]]
    text_rows: numpy.ndarray
    entities: numpy.ndarray
    answers: numpy.ndarray
    answer_starts: numpy.ndarray
    types: list[str] | None
    hops: numpy.ndarray

    def answers_of(self, question: int) -> numpy.ndarray:
        """Return the answers of a question."""
        return self.answers[self.answer_starts[question] : self.answer_starts[question + 1]]

    def select(self, rows: numpy.ndarray) -> "Questions":
        """Return some of the questions, in the order of `rows`."""
        counts = numpy.diff(self.answer_starts)[rows]
        starts = numpy.concatenate([[0], numpy.cumsum(counts)])
        places = numpy.arange(starts[-1]) + numpy.repeat(
            self.answer_starts[rows] - starts[:-1], counts
        )
        types = None if self.types is None else [self.types[row] for row in rows]
        return Questions(
            self.texts,
            self.text_rows[rows],
            self.entities[rows],
            self.answers[places],
            starts,
            types,
            self.hops[rows],
        )

    @property
    def fingerprint(self) -> str:
        """A text that differs between sets of questions."""
        content = hashlib.sha256(repr(self.texts).encode())
        for array in (self.text_rows, self.entities, self.answers, self.answer_starts):
            content.update(numpy.ascontiguousarray(array).tobytes())
        return content.hexdigest()[:16]


def joined(parts: Sequence[Questions]) -> Questions:
    """Return several sets of questions as one, in their order."""
    if len(parts) == 1:
        return parts[0]
    rows, texts = [], {}
    for part in parts:
        row_of = [texts.setdefault(text, len(texts)) for text in part.texts]
        rows.append(numpy.array(row_of, numpy.int32)[part.text_rows])
    counts = numpy.concatenate([numpy.diff(part.answer_starts) for part in parts])
    types = None
    if all(part.types is not None for part in parts):
        types = [each for part in parts for each in part.types]
    return Questions(
        list(texts),
        numpy.concatenate(rows),
        numpy.concatenate([part.entities for part in parts]),
        numpy.concatenate([part.answers for part in parts]),
        numpy.concatenate([[0], numpy.cumsum(counts)]),
        types,
        numpy.concatenate([part.hops for part in parts]),
    )


def read_questions(
    path: str | Path,
    base: KnowledgeBase,
    hops: int = 0,
    unknown_answers: str = "keep",
    unknown_entities: str = "refuse",
    known_words: Collection[str] = (),
    say: Callable[[str], None] = warnings.warn,
) -> Questions:
    """Read a file of questions: MetaQA's format, or WikiMovies'.

    MetaQA's lines are ``question with [entity]<TAB>answer|answer``; WikiMovies' are
    ``1 question?<TAB>answer, answer``. The brackets may be left out; see
    `kvnet.data.entity_finding.ask_about`. If every line begins with a number and none has a name in
    brackets, the file is read as WikiMovies'. There, an answer may contain a comma itself: it is
    split so that all parts are entities of the base.

    The types are read from the file next to it with the ending ``_qtype.txt``, if there is one.

    Parameters
    ----------
    path : str or Path
    base : KnowledgeBase
    hops : int, default=0
        The number of hops of the questions, 0 if it is not known.
    unknown_answers : {"keep", "refuse"}, default="keep"
        Whether to keep answers that the base lacks, which then count as not found.
    unknown_entities : {"keep", "refuse"}, default="refuse"
        Whether to keep questions about no entity of the base, which then count as answered wrongly.
    known_words : collection of str
        All words of the training questions, which help to find an entity without brackets. By
        default they are the words that are frequent in the file.
    say : callable
        Gets a line about unknown answers, and about lines that can be read in several ways. By
        default it is a warning.

    Returns
    -------
    questions : Questions

    Raises
    ------
    InputError
        If the file cannot be read, a line is not a question with answers, or it is about no entity
        of the base or has an unknown answer and that is refused. The message names file, line,
        value and remedy.
    """
    path = Path(path)
    lines = read_lines(path, "a question per line, such as 'who directed [Kismet]<TAB>...'")
    numbers = [number for number, line in enumerate(lines, start=1) if line and line.strip()]
    lines = [lines[number - 1] for number in numbers]
    numbered = "[" not in lines[0] and all(map(NUMBERED.match, lines))
    all_words = bool(known_words)
    if not all_words and "[" not in lines[0]:
        known_words = _frequent_words(lines)
    texts, text_rows, entities, fields = {}, [], [], []
    ambiguous, unknown = [], []
    for number, line in zip(numbers, lines, strict=True):
        question, tab, field = line.partition("\t")
        if not tab or "\t" in field or not field.strip() or not question.strip():
            _refuse_line(f"{path}, line {number}", line, numbered)
        if numbered:
            question = question.partition(" ")[2]
        asked = find_asked(question, base, known_words, all_words)
        if asked is None:
            if unknown_entities == "refuse":
                where = f"{path}, line {number}"
                ask_about(question, base, where, known_words, all_words)  # raises
            unknown.append((number, question))
            asked = Asked(NOT_IN_BASE, question)
        if asked.others:
            ambiguous.append((number, asked))
        entities.append(asked.entity)
        text_rows.append(texts.setdefault(asked.text, len(texts)))
        fields.append(field)
    if unknown:
        number, question = unknown[0]
        say(
            f"{path}: {len(unknown):,} questions name no entity of the base, as on line {number}: "
            f"{shortened(repr(question))}; they are not trained on and count as answered wrongly"
        )
    if ambiguous:
        number, asked = ambiguous[0]
        names = " or ".join(repr(base.entities[e]) for e in (asked.entity, *asked.others))
        say(
            f"{path}: {len(ambiguous):,} questions name several entities that are equally long; "
            f"the first in the text is taken, as on line {number}: {names}; put one in brackets"
        )
    split = _split_at_commas if numbered else _split_at_bars
    answers, starts = split(path, base, numbers, fields, say)
    _check_answers(path, base, numbers, fields, answers, starts, unknown_answers, say)
    words = {}
    word_rows = [words.setdefault(words_of_question(text), len(words)) for text in texts]
    return Questions(
        list(words),
        numpy.array(word_rows, numpy.int32)[text_rows],
        numpy.array(entities, numpy.int32),
        answers,
        starts,
        _read_types(path, len(lines)),
        numpy.full(len(lines), hops, numpy.int32),
    )


def _frequent_words(lines):
    """Return the words that many questions have."""
    counts = Counter(
        word for line in lines for word in set(words_of_question(line.partition("\t")[0]))
    )
    return {word for word, count in counts.items() if count >= max(3, FREQUENT * len(lines))}


def _refuse_line(where, line, numbered):
    count = line.count("\t") + 1
    problem = f"has {count} fields separated by a tab" if count != 2 else "has an empty field"
    if count == 1:
        problem = "has no tab"
    form = "1 question?<TAB>answer, answer" if numbered else "question<TAB>answer|answer"
    raise InputError(f"{where}: {shortened(line)!r} {problem}; write '{form}'")


def _split_at_bars(path, base, numbers, fields, say):
    """Return the ids of all answers, and where those of each question begin."""
    counts = [field.count("|") + 1 for field in fields]
    names = [name.strip() for name in "|".join(fields).split("|")]
    starts = numpy.concatenate([[0], numpy.cumsum(counts)])
    if not all(names):
        empty = numpy.searchsorted(starts, names.index(""), "right") - 1
        raise InputError(
            f"{path}, line {numbers[empty]}: {shortened(fields[empty])!r} has an empty answer; "
            "write answers separated by '|'"
        )
    return _ids(names, base), starts


def _split_at_commas(path, base, numbers, fields, say):
    """Return the same for answers separated by commas, some of which have a comma themselves."""
    most = 1 + max(name.count(",") for name in base.entities)
    names, counts, unclear = [], [], []
    for number, field in zip(numbers, fields, strict=True):
        parts, ways = _split_by_names(field.split(","), base, most)
        if not all(parts):
            raise InputError(
                f"{path}, line {number}: {shortened(field)!r} has an empty answer; write answers "
                "separated by ', '"
            )
        if ways > 1:
            unclear.append((number, parts))
        names += parts
        counts.append(len(parts))
    if unclear:
        number, parts = unclear[0]
        say(
            f"{path}: the answers of {len(unclear):,} lines can be split at their commas in "
            f"several ways; the longest names are taken, as on line {number}: "
            f"{shortened(' | '.join(parts))}"
        )
    return _ids(names, base), numpy.concatenate([[0], numpy.cumsum(counts)])


def _split_by_names(parts, base, most):
    """Join parts to entities of the base: the fewest unknown ones, then the fewest answers.

    Returns the answers, and the number of ways that have as few unknown ones.
    """
    # best[i]: for the parts from i on, (unknown, answers), the end of the first answer, ways.
    best = [None] * len(parts) + [((0, 0), None, 1)]
    for i in reversed(range(len(parts))):
        choices = []
        for j in range(i + 1, min(i + most, len(parts)) + 1):
            known = base.find(",".join(parts[i:j]).strip()) is not None
            if known or j == i + 1:
                (unknown, answers), _, ways = best[j]
                choices.append(((unknown + (not known), answers + 1), j, ways))
        cost, j, _ = min(choices)
        best[i] = cost, j, sum(ways for (u, _), _, ways in choices if u == cost[0])
    joined, i = [], 0
    while i < len(parts):
        j = best[i][1]
        joined.append(",".join(parts[i:j]).strip())
        i = j
    return joined, best[0][2]


def _ids(names, base):
    found = map(base.find, names)
    return numpy.array([NOT_IN_BASE if i is None else i for i in found], numpy.int32)


def _check_answers(path, base, numbers, fields, answers, starts, unknown_answers, say):
    """Say or refuse answers that the base lacks."""
    missing = numpy.flatnonzero(answers == NOT_IN_BASE)
    if not len(missing):
        return
    question = int(numpy.searchsorted(starts, missing[0], "right") - 1)
    text = (
        f"{path}, line {numbers[question]}: an answer in {shortened(fields[question])!r} is not an "
        f"entity of the base; {len(missing):,} of {len(answers):,} answers are not"
    )
    if unknown_answers == "refuse":
        raise InputError(f"{text}; correct them, or allow them with unknown_answers='keep'")
    say(f"{text}; they are kept and count as not found")


def _read_types(path, count):
    """Return the types of the questions from the file next to theirs, None if there is none."""
    name = f"{path.stem}_qtype{path.suffix}"
    if not path.with_name(name).exists():
        return None
    lines = read_lines(path.with_name(name), "the type of a question per line")
    types = [line.strip() for line in lines if line.strip()]
    if len(types) != count:
        raise InputError(
            f"{path.with_name(name)}: has {len(types):,} types for the {count:,} questions of "
            f"{path.name}; give one per question, or remove the file"
        )
    return types
