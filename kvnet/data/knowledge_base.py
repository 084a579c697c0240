"""A knowledge base: facts as arrays, indexed by entity in both directions.

A fact is a triple (subject, relation, object), such as (Kismet, directed_by, William Dieterle). The
index lists, for each entity, the facts that it is part of, as compressed sparse rows; a fact read
from its object to its subject has the relation turned round.
"""

import hashlib
import itertools
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy

from kvnet.data.nearest_names import nearest_text
from kvnet.data.text_lines import MAX_NAME, check_name, read_lines, shortened
from kvnet.errors import InputError

SEPARATORS = ("\t", "|")
HEADERS = (
    ("subject", "entity", "head", "source", "s", "h"),
    ("relation", "predicate", "property", "r", "p"),
    ("object", "value", "tail", "target", "o", "t"),
)
"""The names of columns by which the first line of a file is a header line."""


class Fact(NamedTuple):
    """A triple by its names."""

    subject: str
    relation: str
    object: str

    def __str__(self) -> str:
        """Return the fact as it is written in a file: ``Kismet | directed_by | ...``."""
        return " | ".join(self)


class Folding(NamedTuple):
    """Which spellings of a name are one name. By default each spelling is a name of its own.

    Attributes
    ----------
    case : bool
        Whether upper and lower case are equal.
    unicode : bool
        Whether different Unicode forms of a character are equal (NFC).
    """

    case: bool = False
    unicode: bool = False

    def __call__(self, name: str) -> str:
        """Return the form of a name under which it is stored and looked up."""
        if self.unicode or self.case:
            name = unicodedata.normalize("NFC", name)
        return unicodedata.normalize("NFC", name.casefold()) if self.case else name


class KnowledgeBase:
    """Facts, indexed by entity. An entity's id is its position in `entities`.

    Use `read` for a file and `of_facts` for triples of names.

    Parameters
    ----------
    entities : list of str
        N different names.
    relations : list of str
        R different names.
    facts : (F, 3) int32 array
        Ids of subject, relation and object. Repeated rows are dropped, the first of them is kept.
    folding : Folding
        By which `id_of` finds a name.

    Attributes
    ----------
    entities, relations, facts
        The parameters; `facts` without repetitions.
    starts : (N + 1,) int64 array
        Entity e has the edges ``starts[e]`` to ``starts[e + 1]``.
    edge_relations, edge_entities : (2 F,) int32 arrays
        An edge's relation and the entity at its other end, sorted by relation, then entity. Edge
        (e, r, o) with r < R is the fact (e, r, o); with r >= R it is the fact (o, r - R, e).
    """

    def __init__(
        self,
        entities: list[str],
        relations: list[str],
        facts: numpy.ndarray,
        folding: Folding = Folding(),  # noqa: B008 - immutable
    ):
        self.entities, self.relations, self.folding = entities, relations, folding
        self._ids = {folding(name): number for number, name in enumerate(entities)}
        self.facts, self.starts, self.edge_relations, self.edge_entities = _indexed(
            facts, len(entities), len(relations)
        )

    def __len__(self) -> int:
        """Return F, the number of facts."""
        return len(self.facts)

    def __iter__(self) -> Iterator[Fact]:
        """Yield the facts by their names, in their order."""
        for s, r, o in self.facts.tolist():
            yield Fact(self.entities[s], self.relations[r], self.entities[o])

    def __repr__(self) -> str:
        return (
            f"<KnowledgeBase: {len(self):,} facts, {len(self.entities):,} entities, "
            f"{len(self.relations)} relations>"
        )

    @classmethod
    def read(
        cls,
        path: str | Path,
        fold_case: bool = False,
        fold_unicode: bool = False,
        say: Callable[[str], None] = warnings.warn,
    ) -> "KnowledgeBase":
        """Read a file with one fact per line: ``subject|relation|object``, or with tabs.

        The first line that is not empty decides which separator the file has. With tabs it may be
        a header line such as ``subject<TAB>relation<TAB>object``. Spaces around a name are dropped.

        Parameters
        ----------
        path : str or Path
        fold_case, fold_unicode : bool, default=False
            Whether names that differ only in case, or only in Unicode form, are one name. The first
            spelling is kept. By default they are different names.
        say : callable
            Gets a line about what was not taken as it is in the file: a header line, repeated facts
            and folded names. By default it is a warning.

        Returns
        -------
        base : KnowledgeBase

        Raises
        ------
        InputError
            If the file cannot be read, a line is not a fact or there is none. The message names
            file, line, value and remedy.
        """
        path = Path(path)
        lines = read_lines(path, "a fact per line, such as 'Kismet|directed_by|William Dieterle'")
        numbers = [number for number, line in enumerate(lines, start=1) if line and line.strip()]
        if len(numbers) < len(lines):
            lines = [lines[number - 1] for number in numbers]
        separator = "\t" if lines[0].count("\t") >= lines[0].count("|") else "|"
        has_header = _is_header(lines[0].split(separator))
        if has_header:
            if len(lines) == 1:
                raise InputError(f"{path}: has no facts below its header; add one per line")
            say(f"{path}, line {numbers[0]}: is read as a header line, not as a fact")
            del lines[0], numbers[0]
        _check_fields(path, lines, numbers, separator)
        names = [name.strip() for name in separator.join(lines).split(separator)]
        columns = names[0::3], names[1::3], names[2::3]
        _check_names(path, columns, numbers)
        base, ids = _encoded(columns, Folding(fold_case, fold_unicode))
        _say_repeated(path, base, ids, numbers, say)
        _say_folded(path, base, columns, say)
        if separator == "\t" and not has_header:
            _say_possible_header(path, base, numbers, say)
        return base

    @classmethod
    def of_facts(
        cls,
        facts: Iterable[tuple[str, str, str]],
        fold_case: bool = False,
        fold_unicode: bool = False,
    ) -> "KnowledgeBase":
        """Make a base of triples of names; a repeated triple is kept once.

        Parameters
        ----------
        facts : iterable of (subject, relation, object)
        fold_case, fold_unicode : bool, default=False
            As for `read`.

        Returns
        -------
        base : KnowledgeBase

        Raises
        ------
        InputError
            If there is none, or one is not three names.
        """
        facts = list(facts)
        if not facts:
            raise InputError("a base without facts; give triples (subject, relation, object)")
        for number, fact in enumerate(facts, start=1):
            where = f"fact {number}"
            if isinstance(fact, str) or not hasattr(fact, "__len__") or len(fact) != 3:
                raise InputError(
                    f"{where}, {shortened(repr(fact))}: is not a triple; give (subject, relation, "
                    "object)"
                )
            for name in fact:
                check_name(name, where)
        columns = tuple(list(column) for column in zip(*facts, strict=True))
        return _encoded(columns, Folding(fold_case, fold_unicode))[0]

    def aligned(self, entities: list[str], relations: list[str]) -> "KnowledgeBase":
        """Return the base with the ids that some names have in another base.

        Parameters
        ----------
        entities : list of str
            Get the first ids, in their order; those that this base lacks have no facts. The base's
            other entities follow.
        relations : list of str
            Become the relations. Facts with other relations are left out.

        Returns
        -------
        base : KnowledgeBase
        """
        ids = {self.folding(name): number for number, name in enumerate(entities)}
        names = list(entities)
        entity_ids = numpy.empty(len(self.entities), numpy.int32)
        for number, name in enumerate(self.entities):
            key = self.folding(name)
            if key not in ids:
                ids[key] = len(names)
                names.append(name)
            entity_ids[number] = ids[key]
        known = {name: number for number, name in enumerate(relations)}
        relation_ids = numpy.array([known.get(name, -1) for name in self.relations], numpy.int32)
        s, r, o = self.facts.T
        facts = numpy.stack([entity_ids[s], relation_ids[r], entity_ids[o]], axis=1)
        return KnowledgeBase(names, list(relations), facts[facts[:, 1] >= 0], self.folding)

    @cached_property
    def fingerprint(self) -> str:
        """A text that differs between bases."""
        arrays, metadata = self.state()
        content = hashlib.sha256(repr(metadata).encode())
        for array in arrays.values():
            content.update(numpy.ascontiguousarray(array))
        return content.hexdigest()[:16]

    def state(self) -> tuple[dict[str, numpy.ndarray], dict]:
        """Return the content of a file: arrays, and metadata for JSON."""
        arrays = {"base/facts": self.facts}
        for kind in ("entities", "relations"):
            names = [name.encode("utf-8", "surrogatepass") for name in getattr(self, kind)]
            arrays[f"base/{kind}"] = numpy.frombuffer(b"".join(names), numpy.uint8)
            arrays[f"base/{kind}_bytes"] = numpy.array(list(map(len, names)), numpy.int32)
        return arrays, {"folding": list(self.folding)}

    @classmethod
    def from_state(cls, path: str | Path, arrays: dict, metadata: dict) -> "KnowledgeBase":
        """Make a base from the content of a file; see `state`.

        Raises
        ------
        InputError
            If the content is not that of a base.
        """
        try:
            names = {}
            for kind in ("entities", "relations"):
                content, ends = arrays[f"base/{kind}"].tobytes(), arrays[f"base/{kind}_bytes"]
                ends = numpy.cumsum(ends).tolist()
                names[kind] = [
                    content[start:end].decode("utf-8", "surrogatepass")
                    for start, end in zip([0, *ends], ends, strict=False)
                ]
            facts, folding = arrays["base/facts"], Folding(*map(bool, metadata["folding"]))
            highest = [len(names["entities"]), len(names["relations"]), len(names["entities"])]
            if facts.shape[1:] != (3,) or facts.min() < 0 or (facts >= highest).any():
                raise ValueError("a fact of an unknown name")
            return cls(**names, facts=facts, folding=folding)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: has no knowledge base ({error}); give a file of an answerer of facts"
            ) from None

    @property
    def nbytes(self) -> int:
        """The bytes of the facts and of their index, without the names."""
        arrays = self.facts, self.starts, self.edge_relations, self.edge_entities
        return sum(array.nbytes for array in arrays)

    @cached_property
    def longest_name(self) -> int:
        """The number of characters of the longest entity."""
        return max(map(len, self._ids))

    def __contains__(self, name: str) -> bool:
        """Return whether a name is an entity of the base."""
        return self.folding(name) in self._ids

    def find(self, name: str) -> int | None:
        """Return the id of an entity, None if the base lacks it."""
        return self._ids.get(self.folding(name))

    def id_of(self, name: str, where: str | None = None) -> int:
        """Return the id of an entity.

        Parameters
        ----------
        name : str
        where : str, optional
            Origin of the name, for the message.

        Raises
        ------
        InputError
            If the base lacks it. The message names the most similar entities.
        """
        prefix = "" if where is None else f"{where}: "
        if not isinstance(name, str):
            raise InputError(f"{prefix}{shortened(repr(name))} is not a name; give it as text")
        number = self.find(name)
        if number is None:
            raise InputError(
                f"{prefix}{shortened(repr(name))} is not an entity of the base"
                f"{nearest_text(name, self.entities)}"
            )
        return number

    def facts_about(self, name: str) -> list[Fact]:
        """Return the facts that have an entity as subject or object.

        Parameters
        ----------
        name : str

        Returns
        -------
        facts : list of Fact
            First those in which it is the subject; sorted by relation.

        Raises
        ------
        InputError
            If the base lacks the entity.
        """
        entity = self.id_of(name)
        edges = range(self.starts[entity], self.starts[entity + 1])
        # A fact about itself has two edges.
        return list(dict.fromkeys(self.fact_of_edge(entity, edge) for edge in edges))

    def fact_of_edge(self, entity: int, edge: int) -> Fact:
        """Return the fact of an edge of an entity, in the direction in which it is stored."""
        relation, other = int(self.edge_relations[edge]), int(self.edge_entities[edge])
        here, there = self.entities[entity], self.entities[other]
        if relation < len(self.relations):
            return Fact(here, self.relations[relation], there)
        return Fact(there, self.relations[relation - len(self.relations)], here)


def _indexed(facts, N, R):
    """Return the different facts and their compressed sparse rows in both directions."""
    if N * N * 2 * max(R, 1) >= 2**63:
        raise InputError(f"{N:,} entities and {R:,} relations are too many for one base; split it")
    facts = numpy.asarray(facts, numpy.int32).reshape(-1, 3)
    s, r, o = (facts[:, column].astype(numpy.int64) for column in range(3))
    key = (s * (2 * R) + r) * N + o
    different = numpy.sort(key)
    repeated = len(key) > 1 and (different[1:] == different[:-1]).any()
    if repeated:
        first = numpy.sort(numpy.unique(key, return_index=True)[1])
        facts, s, r, o, key = facts[first], s[first], r[first], o[first], key[first]
    key = numpy.concatenate([key, (o * (2 * R) + (r + R)) * N + s])
    del s, r, o, different
    key.sort()
    row, edge_entities = key // N, (key % N).astype(numpy.int32)
    edge_relations = (row % (2 * R)).astype(numpy.int32)
    counts = numpy.bincount(row // (2 * R), minlength=N)
    starts = numpy.concatenate([[0], numpy.cumsum(counts)]).astype(numpy.int64)
    return facts, starts, edge_relations, edge_entities


def _encoded(columns, folding):
    """Return the base of three columns of names, and the (F, 3) ids of all rows."""
    subjects, relations, objects = columns
    entities = dict.fromkeys(itertools.chain.from_iterable(zip(subjects, objects, strict=True)))
    entity_names, entity_ids = _numbered(entities, folding)
    relation_names, relation_ids = _numbered(dict.fromkeys(relations), Folding())
    ids = numpy.empty((len(subjects), 3), numpy.int32)
    for column, (names, known) in enumerate(
        [(subjects, entity_ids), (relations, relation_ids), (objects, entity_ids)]
    ):
        ids[:, column] = numpy.fromiter(map(known.__getitem__, names), numpy.int32, len(names))
    return KnowledgeBase(entity_names, relation_names, ids, folding), ids


def _numbered(names, folding):
    """Return the names that stay, one per folded form, and the id of each name."""
    if not any(folding):
        return list(names), dict(zip(names, itertools.count(), strict=False))
    first, ids = {}, {}
    for name in names:
        ids[name] = first.setdefault(folding(name), len(first))
    kept = {}
    for name, number in ids.items():
        kept.setdefault(number, name)
    return list(kept.values()), ids


def _is_header(fields):
    names = [field.strip().lower() for field in fields]
    return len(names) == 3 and all(
        name in known for name, known in zip(names, HEADERS, strict=True)
    )


def _check_fields(path, lines, numbers, separator):
    counts = list(map(str.count, lines, itertools.repeat(separator)))
    if counts.count(2) == len(counts):
        return
    index = next(index for index, count in enumerate(counts) if count != 2)
    shown = "a tab" if separator == "\t" else "'|'"
    fields = "1 field" if not counts[index] else f"{counts[index] + 1} fields"
    raise InputError(
        f"{path}, line {numbers[index]}: {shortened(lines[index])!r} has {fields} separated by "
        f"{shown}; a fact has three, subject, relation and object"
    )


def _check_names(path, columns, numbers):
    for names in columns:
        if min(map(len, names)) and max(map(len, names)) <= MAX_NAME:
            continue
        for number, name in zip(numbers, names, strict=True):
            check_name(name, f"{path}, line {number}")


def _say_repeated(path, base, ids, numbers, say):
    repeated = len(ids) - len(base)
    if not repeated:
        return
    s, r, o = ids.T.astype(numpy.int64)
    keys = (s * len(base.relations) + r) * len(base.entities) + o
    first = numpy.unique(keys, return_index=True)[1]
    again = numpy.setdiff1d(numpy.arange(len(ids)), first, assume_unique=True)[0]
    fact = Fact(
        base.entities[ids[again, 0]], base.relations[ids[again, 1]], base.entities[ids[again, 2]]
    )
    say(
        f"{path}: {repeated:,} of {len(ids):,} facts are repeated and kept once, the first on "
        f"line {numbers[again]} ({shortened(str(fact))})"
    )


def _say_folded(path, base, columns, say):
    names = dict.fromkeys(itertools.chain(columns[0], columns[2]))
    if any(base.folding):
        merged = len(names) - len(base.entities)
        if merged:
            say(
                f"{path}: {len(names):,} names are {len(base.entities):,} entities, since "
                f"{merged:,} differ from an earlier one only in {_what_is_folded(base.folding)}"
            )
    elif not all(name.isascii() for name in names):
        composed = {unicodedata.normalize("NFC", name) for name in names}
        if len(composed) < len(names):
            say(
                f"{path}: {len(names) - len(composed):,} names differ from another only in their "
                "Unicode form and stay entities of their own; fold_unicode (--fold-unicode) makes "
                "them one"
            )


def _what_is_folded(folding):
    return " or ".join(
        what
        for what, folded in (("case", folding.case), ("Unicode form", folding.unicode))
        if folded
    )


def _say_possible_header(path, base, numbers, say):
    counts = numpy.bincount(base.facts[:, 1], minlength=len(base.relations))
    if counts[0] == 1 and len(counts) > 1 and counts[1:].min() > 1:
        say(
            f"{path}, line {numbers[0]}: only this line has the relation {base.relations[0]!r} and "
            "it is read as a fact; delete it if it is a header line"
        )
