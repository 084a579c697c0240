"""Training questions made from sentence templates, one or a few per relation.

A line of a template file is a chain of relations, a tab and a sentence with ``[]`` for the entity:
``directed_by<TAB>who directed []``. `kvnet.data.relation_paths` says how chains are written. The
sentence ``-`` says that there are no questions about a relation.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy

from kvnet.counter_random import permutation
from kvnet.data.entity_finding import MARKER, words_of_question
from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.knowledge_questions import Questions, joined
from kvnet.data.relation_paths import count_walks, follow, format_path, parse_path
from kvnet.data.text_lines import read_lines, shortened
from kvnet.errors import InputError

NO_QUESTIONS = "-"
MOST_WALKS = 100_000
"""Ways along a chain from one entity, above which no question about it is made."""
MOST_AT_ONCE = 5_000_000
HELD_OUT = 10  # one in ten is validated on, one in ten is tested on


class Template(NamedTuple):
    """A sentence that asks for what a chain of relations leads to.

    Attributes
    ----------
    path : tuple of int
    words : tuple of str
        With ``[]`` for the entity.
    """

    path: tuple[int, ...]
    words: tuple[str, ...]


def read_templates(
    path: str | Path, base: KnowledgeBase, say: Callable[[str], None] = warnings.warn
) -> list[Template]:
    """Read a file of templates.

    Parameters
    ----------
    path : str or Path
    base : KnowledgeBase
    say : callable
        Gets a line about repeated templates. By default it is a warning.

    Returns
    -------
    templates : list of Template

    Raises
    ------
    InputError
        If the file cannot be read, a line is not a template or its relation is not in the base, or
        a relation of the base has no template. The message names file, line, value and remedy.
    """
    path = Path(path)
    lines = read_lines(path, "a template per line, such as 'directed_by<TAB>who directed []'")
    sentences = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        relations, tab, sentence = line.partition("\t")
        if not tab or "\t" in sentence or not relations.strip() or not sentence.strip():
            raise InputError(
                f"{path}, line {number}: {shortened(line)!r} is not a relation, a tab and a "
                "sentence; write 'relation<TAB>who directed []'"
            )
        sentences.append((f"line {number}", relations, sentence))
    templates, left_out = _templates(sentences, base, path, say)
    _check_relations(path, base, templates, left_out)
    return templates


def templates_of(
    sentences: Mapping[str, Sequence[str]],
    base: KnowledgeBase,
    say: Callable[[str], None] = warnings.warn,
) -> list[Template]:
    """Return the templates of a mapping, without a file.

    Parameters
    ----------
    sentences : mapping of str to sequence of str
        Sentences by chain of relations, such as ``{"directed_by": ["who directed []"]}``.
    base : KnowledgeBase
    say : callable
        As for `read_templates`.

    Returns
    -------
    templates : list of Template

    Raises
    ------
    InputError
        If a relation is not in the base, a sentence has no slot, or one asks for two chains.
    """
    for path, of_path in sentences.items():
        if isinstance(of_path, str) or not all(isinstance(sentence, str) for sentence in of_path):
            raise InputError(
                f"templates: {shortened(repr(of_path))} for {shortened(path)!r} is not a list of "
                "sentences; give one, as in ['who directed []']"
            )
    listed = [(repr(path), path, sentence) for path, of in sentences.items() for sentence in of]
    return _templates(listed, base, "templates", say)[0]


def _templates(sentences, base, source, say):
    """Return the templates of (place, chain, sentence), and the relations without questions."""
    places, templates, repeated, left_out = {}, [], [], set()
    for place, relations, sentence in sentences:
        where = f"{source}, {place}"
        chain = parse_path(relations, base, where)
        if sentence.strip() == NO_QUESTIONS:
            left_out |= {relation % len(base.relations) for relation in chain}
            continue
        words = _words(sentence, where)
        if words in places:
            earlier, earlier_chain = places[words]
            if earlier_chain != chain:
                raise InputError(
                    f"{where}: the sentence {shortened(sentence.strip())!r} is also on {earlier}, "
                    f"for {format_path(earlier_chain, base)}; a sentence can ask for one thing, "
                    "change one of them"
                )
            repeated.append((place, sentence.strip()))
            continue
        places[words] = place, chain
        templates.append(Template(chain, words))
    if repeated:
        place, sentence = repeated[0]
        say(
            f"{source}: {len(repeated):,} templates are repeated and kept once, the first on "
            f"{place} ({shortened(sentence)})"
        )
    return templates, left_out


def _words(sentence, where):
    count = sentence.count(MARKER)
    if count != 1:
        problem = "has no slot" if not count else f"has {count} slots"
        raise InputError(
            f"{where}: {shortened(sentence.strip())!r} {problem} for the entity; write {MARKER} "
            "once, as in 'who directed []'"
        )
    words = words_of_question(sentence)
    if len(words) < 2:
        raise InputError(
            f"{where}: {shortened(sentence.strip())!r} has no words besides {MARKER}; write a "
            "question, as in 'who directed []'"
        )
    return words


def _check_relations(path, base, templates, left_out):
    if not templates:
        raise InputError(f"{path}: has no template; write lines 'directed_by<TAB>who directed []'")
    R = len(base.relations)
    asked = {relation % R for template in templates for relation in template.path} | left_out
    missing = [base.relations[relation] for relation in range(R) if relation not in asked]
    if missing:
        names = ", ".join(shortened(name, 30) for name in missing[:3])
        rest = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise InputError(
            f"{path}: no template for the relations {names}{rest}; add lines such as "
            f"'{missing[0]}<TAB>what is the {missing[0]} of []', or '{missing[0]}<TAB>"
            f"{NO_QUESTIONS}' to ask nothing about it"
        )


def questions_of_templates(
    base: KnowledgeBase,
    templates: Sequence[Template],
    most: int = 50_000,
    random_state: int = 0,
    say: Callable[[str], None] = warnings.warn,
) -> dict[str, Questions]:
    """Make questions about all entities that a template can be asked about.

    A tenth of the pairs of an entity and a chain is held out for validation and a tenth for
    testing: no question about them is in the training set.

    Parameters
    ----------
    base : KnowledgeBase
    templates : sequence of Template
    most : int, default=50,000
        Training questions; where there are more, chains are asked about equally often. There are a
        tenth as many validation and test questions.
    random_state : int
    say : callable
        Gets a line about chains and entities that no question is made of. By default it is a
        warning.

    Returns
    -------
    questions : dict of str to Questions
        ``training``, ``validation`` and ``testing``; the latter two only if they have questions.
        The type of a question is its chain.

    Raises
    ------
    InputError
        If no question can be made.
    """
    by_path = {}
    for template in templates:
        by_path.setdefault(template.path, []).append(template.words)
    pairs = _askable(base, by_path, say)
    quotas = {"training": most, "validation": most // HELD_OUT, "testing": most // HELD_OUT}
    parts = {split: [] for split in quotas}
    splits = [_split(entities, random_state, i) for i, entities in enumerate(pairs.values())]
    for split, quota in quotas.items():
        sizes = [
            len(each[split]) * len(by_path[path]) for each, path in zip(splits, pairs, strict=True)
        ]
        shares = _shares(sizes, quota)
        for i, (path, each) in enumerate(zip(pairs, splits, strict=True)):
            if shares[i]:
                combination = permutation(
                    numpy, random_state, f"{split} questions of templates", i, sizes[i]
                )[: shares[i]]
                combination.sort()
                part = _questions(base, path, by_path[path], each[split], combination)
                parts[split].append(part)
    if not parts["training"]:
        raise InputError("no question can be made from the templates; check their relations")
    return {split: joined(each) for split, each in parts.items() if each}


def _askable(base, by_path, say):
    """Return the entities that each chain leads somewhere from, by chain."""
    pairs, too_many = {}, 0
    for path in by_path:
        counts = count_walks(base, path)
        entities = numpy.flatnonzero((counts > 0) & (counts <= MOST_WALKS))
        too_many += int((counts > MOST_WALKS).sum())
        if len(entities):
            pairs[path] = entities
        else:
            say(
                f"no fact of the base follows {format_path(path, base)}; its templates are not used"
            )
    if too_many:
        say(
            f"{too_many:,} times a chain of relations has more than {MOST_WALKS:,} ways from one "
            "entity; no question is made of these"
        )
    return pairs


def _split(entities, random_state, i):
    """Split the entities that a chain is asked about."""
    order = permutation(numpy, random_state, "entities of templates", i, len(entities))
    n = len(entities) // HELD_OUT
    parts = {"validation": order[:n], "testing": order[n : 2 * n], "training": order[2 * n :]}
    return {split: entities[numpy.sort(rows)] for split, rows in parts.items()}


def _shares(sizes, quota):
    """Return how many to take of each size: equally many, and at most `quota` in total."""
    shares = [0] * len(sizes)
    left = quota
    for place, i in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        shares[i] = min(sizes[i], left // (len(sizes) - place))
        left -= shares[i]
    return shares


def _questions(base, path, texts, entities, combination):
    """Return the questions about pairs of an entity and a sentence, numbered through."""
    rows, text_rows = combination // len(texts), combination % len(texts)
    asked, row_of = numpy.unique(rows, return_inverse=True)
    answers, counts = [], []
    for part in _parts(base, path, entities[asked]):
        ends, starts = follow(base, path, part)
        answers.append(ends)
        counts.append(numpy.diff(starts))
    starts = numpy.concatenate([[0], numpy.cumsum(numpy.concatenate(counts))])
    single = Questions(
        texts,
        numpy.zeros(len(asked), numpy.int32),
        entities[asked].astype(numpy.int32),
        numpy.concatenate(answers),
        starts,
        [format_path(path, base)] * len(asked),
        numpy.full(len(asked), len(path), numpy.int32),
    )
    questions = replace(single.select(row_of), text_rows=text_rows.astype(numpy.int32))
    return questions.select(numpy.flatnonzero(numpy.diff(questions.answer_starts)))


def _parts(base, path, entities):
    """Cut entities into parts that do not lead to too many ways at once."""
    totals = numpy.cumsum(count_walks(base, path)[entities])
    cuts = numpy.searchsorted(totals, numpy.arange(MOST_AT_ONCE, totals[-1], MOST_AT_ONCE))
    return [part for part in numpy.split(entities, cuts) if len(part)]
