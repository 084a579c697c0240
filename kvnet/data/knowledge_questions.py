"""Questions about a knowledge base, as arrays of entity ids and rows of different texts."""

import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy

from kvnet.counter_random import permutation
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


@dataclass(frozen=True, eq=False)
class Questions:
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

    def __len__(self) -> int:
        """Return Q, the number of questions."""
        return len(self.entities)

    def answers_of(self, question: int) -> numpy.ndarray:
        """Return the answers of a question."""
        return self.answers[self.answer_starts[question] : self.answer_starts[question + 1]]

    def answers_of_all(self, rows: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Return the answers of some questions, one after another, and where each begin."""
        firsts = self.answer_starts[rows]
        counts = self.answer_starts[rows + 1] - firsts
        starts = numpy.concatenate([[0], numpy.cumsum(counts)])
        places = numpy.arange(starts[-1]) + numpy.repeat(firsts - starts[:-1], counts)
        return self.answers[places], starts

    def select(self, rows: numpy.ndarray) -> "Questions":
        """Return some of the questions, in the order of `rows`."""
        answers, starts = self.answers_of_all(rows)
        types = None if self.types is None else [self.types[row] for row in rows]
        return Questions(
            self.texts,
            self.text_rows[rows],
            self.entities[rows],
            answers,
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


def held_out(
    questions: Questions, share: float, random_state: int, name: str
) -> tuple[Questions, Questions]:
    """Hold out questions, drawn at random; both parts stay in the order of the questions.

    Parameters
    ----------
    questions : Questions
    share : float
        From 0, below 1.
    random_state : int
    name : str
        Name of the draw; another name draws other questions.

    Returns
    -------
    kept, drawn : Questions
    """
    order = permutation(numpy, random_state, name, 0, len(questions))
    count = int(share * len(questions))
    return tuple(questions.select(numpy.sort(rows)) for rows in (order[count:], order[:count]))


def read_questions(
    path: str | Path,
    base: KnowledgeBase,
    hops: int = 0,
    unknown_answers: str = "keep",
    unknown_entities: str = "refuse",
    known_words: Collection[str] = (),
    types: Path | None = None,
    say: Callable[[str], None] = warnings.warn,
) -> Questions:
    """Read a file of questions: MetaQA's format, or WikiMovies'.

    MetaQA's lines are ``question with [entity]<TAB>answer|answer``; WikiMovies' are
    ``1 question?<TAB>answer, answer``. The brackets may be left out; see
    `kvnet.data.entity_finding.ask_about`. If every line begins with a number and none has a name in
    brackets, the file is read as WikiMovies'. There, an answer may contain a comma itself: it is
    split so that all parts are entities of the base.

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
    types : Path, optional
        A file with the type of each question.
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

    def where(i):
        return f"{path}, line {numbers[i]}"

    numbered = "[" not in lines[0] and all(map(NUMBERED.match, lines))
    texts, fields = [], []
    for i, line in enumerate(lines):
        text, tab, field = line.partition("\t")
        if not tab or "\t" in field or not field.strip() or not text.strip():
            _refuse_line(where(i), line, numbered)
        texts.append(text.partition(" ")[2] if numbered else text)
        fields.append(field)
    split = _split_at_commas if numbered else _split_at_bars
    names, starts = split(fields, base, where, say)
    questions = _questions(
        texts, names, starts, base, where, unknown_answers, unknown_entities, known_words, say
    )
    return replace(
        questions,
        types=_read_types(types, path, len(lines)),
        hops=numpy.full(len(lines), hops, numpy.int32),
    )


def questions_of_pairs(
    pairs: Sequence[tuple[str, str | Sequence[str]]],
    base: KnowledgeBase,
    unknown_answers: str = "keep",
    known_words: Collection[str] = (),
    say: Callable[[str], None] = warnings.warn,
) -> Questions:
    """Return questions that are given as text with their answers.

    Parameters
    ----------
    pairs : sequence of (question, answers)
        The answers are one name or several, such as
        ``("who directed [Kismet]", ["William Dieterle"])``.
    base, unknown_answers, known_words, say
        As for `read_questions`.

    Returns
    -------
    questions : Questions

    Raises
    ------
    InputError
        If there is none, one is not a question with answers, or as `read_questions`.
    """
    texts, names, counts = [], [], [0]

    def where(i):
        return f"question {i + 1}"

    for i, pair in enumerate(pairs):
        if isinstance(pair, str) or not hasattr(pair, "__len__") or len(pair) != 2:
            raise InputError(
                f"{where(i)}: {shortened(repr(pair))} is not a question with answers; give "
                "(question, answers)"
            )
        text, answers = pair
        answers = [answers] if isinstance(answers, str) else list(answers)
        for value in (text, *answers):
            if not isinstance(value, str) or not value.strip():
                raise InputError(
                    f"{where(i)}: {shortened(repr(value))} is not a text; give the question and "
                    "its answers as text"
                )
        if not answers:
            raise InputError(
                f"{where(i)}: {shortened(repr(text))} has no answer; give at least one"
            )
        texts.append(text)
        names += answers
        counts.append(len(answers))
    if not texts:
        raise InputError("no questions; give at least one (question, answers)")
    starts = numpy.cumsum(counts)
    return _questions(
        texts, names, starts, base, where, unknown_answers, "refuse", known_words, say
    )


def _questions(
    texts, names, starts, base, where, unknown_answers, unknown_entities, known_words, say
):
    """Find the entities of questions and the ids of their answers; `where` names a question."""
    all_words = bool(known_words)
    if not all_words and "[" not in texts[0]:
        known_words = _frequent_words(texts)
    rows, entities, different = [], [], {}
    ambiguous, unknown = [], []
    for i, text in enumerate(texts):
        asked = find_asked(text, base, known_words, all_words)
        if asked is None:
            if unknown_entities == "refuse":
                ask_about(text, base, where(i), known_words, all_words)  # raises
            unknown.append(i)
            asked = Asked(NOT_IN_BASE, text)
        if asked.others:
            ambiguous.append((i, asked))
        entities.append(asked.entity)
        rows.append(different.setdefault(asked.text, len(different)))
    if unknown:
        say(
            f"{where(unknown[0])}: {shortened(repr(texts[unknown[0]]))} names no entity of the "
            f"base; {len(unknown):,} of {len(texts):,} questions do not; they are not trained on "
            "and count as answered wrongly"
        )
    if ambiguous:
        i, asked = ambiguous[0]
        found = " or ".join(repr(base.entities[e]) for e in (asked.entity, *asked.others))
        say(
            f"{where(i)}: {shortened(repr(texts[i]))} names several entities that are equally "
            f"long, {found}; {len(ambiguous):,} of {len(texts):,} questions do; the first in the "
            "text is taken, put one in brackets to choose"
        )
    answers = numpy.array(
        [NOT_IN_BASE if (found := base.find(name)) is None else found for name in names],
        numpy.int32,
    )
    _check_answers(answers, names, starts, where, unknown_answers, say)
    answers, starts = _different(answers, names, starts, where, say)
    words = {}
    word_rows = [words.setdefault(words_of_question(text), len(words)) for text in different]
    return Questions(
        list(words),
        numpy.array(word_rows, numpy.int32)[rows],
        numpy.array(entities, numpy.int32),
        answers,
        starts,
        None,
        numpy.zeros(len(texts), numpy.int32),
    )


def _frequent_words(texts):
    """Return the words that many questions have."""
    counts = Counter(word for text in texts for word in set(words_of_question(text)))
    return {word for word, count in counts.items() if count >= max(3, FREQUENT * len(texts))}


def _refuse_line(where, line, numbered):
    count = line.count("\t") + 1
    problem = f"has {count} fields separated by a tab" if count != 2 else "has an empty field"
    if count == 1:
        problem = "has no tab"
    form = "1 question?<TAB>answer, answer" if numbered else "question<TAB>answer|answer"
    raise InputError(f"{where}: {shortened(line)!r} {problem}; write '{form}'")


def _split_at_bars(fields, base, where, say):
    """Return the names of all answers, and where those of each question begin."""
    counts = [field.count("|") + 1 for field in fields]
    names = [name.strip() for name in "|".join(fields).split("|")]
    starts = numpy.concatenate([[0], numpy.cumsum(counts)])
    if not all(names):
        i = int(numpy.searchsorted(starts, names.index(""), "right")) - 1
        raise InputError(
            f"{where(i)}: {shortened(fields[i])!r} has an empty answer; write answers separated by "
            "'|'"
        )
    return names, starts


def _split_at_commas(fields, base, where, say):
    """Return the same for answers separated by commas, some of which have a comma themselves."""
    most = 1 + max(name.count(",") for name in base.entities)
    names, counts, unclear = [], [0], []
    for i, field in enumerate(fields):
        parts, ways = _split_by_names(field.split(","), base, most)
        if not all(parts):
            raise InputError(
                f"{where(i)}: {shortened(field)!r} has an empty answer; write answers separated by "
                "', '"
            )
        if ways > 1:
            unclear.append((i, parts))
        names += parts
        counts.append(len(parts))
    if unclear:
        i, parts = unclear[0]
        say(
            f"{where(i)}: the answers can be split at their commas in several ways, as those of "
            f"{len(unclear):,} of {len(fields):,} questions; the longest names are taken: "
            f"{shortened(' | '.join(parts))}"
        )
    return names, numpy.cumsum(counts)


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


def _different(answers, names, starts, where, say):
    """Drop an answer that a question has already; unknown ones differ, as their names may."""
    rows = numpy.repeat(numpy.arange(len(starts) - 1), numpy.diff(starts))
    known = numpy.flatnonzero(answers != NOT_IN_BASE)
    keys = rows[known] * (answers.max() + 1) + answers[known]
    first = known[numpy.unique(keys, return_index=True)[1]]
    repeated = numpy.setdiff1d(known, first, assume_unique=True)
    if not len(repeated):
        return answers, starts
    i, name = int(rows[repeated[0]]), shortened(repr(names[repeated[0]]))
    say(
        f"{where(i)}: the answer {name} is repeated; {len(repeated):,} of {len(answers):,} answers "
        "are, and are kept once"
    )
    kept = numpy.delete(numpy.arange(len(answers)), repeated)
    counts = numpy.bincount(rows[kept], minlength=len(starts) - 1)
    return answers[kept], numpy.concatenate([[0], numpy.cumsum(counts)])


def _check_answers(answers, names, starts, where, unknown_answers, say):
    """Say or refuse answers that the base lacks."""
    missing = numpy.flatnonzero(answers == NOT_IN_BASE)
    if not len(missing):
        return
    i = int(numpy.searchsorted(starts, missing[0], "right")) - 1
    first = shortened(repr(names[missing[0]]))
    text = (
        f"{where(i)}: the answer {first} is not an entity of the base; {len(missing):,} of "
        f"{len(answers):,} answers are not"
    )
    if unknown_answers == "refuse":
        raise InputError(f"{text}; correct them, or allow them with unknown_answers='keep'")
    say(f"{text}; they are kept and count as not found")


def _read_types(types, path, count):
    if types is None:
        return None
    lines = [line.strip() for line in read_lines(types, "the type of a question per line")]
    names = [line for line in lines if line]
    if len(names) != count:
        raise InputError(
            f"{types}: has {len(names):,} types for the {count:,} questions of {path.name}; give "
            "one per question, or remove the file"
        )
    return names
