"""A small invented world, a network that answers from its facts, and facts that are edited."""

import threading
import time
from dataclasses import replace
from typing import NamedTuple

from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.made_world import SENTENCES, made_world
from kvnet.errors import InputError, shown
from kvnet.fact_answerer import FactAnswer, FactAnswerer
from kvnet.training.recipes.facts import FACT_PRESETS

FACTS = 300
CHAINS = (
    "directed_by",
    "written_by",
    "starring",
    "genre",
    "born_in",
    "located_in",
    "^directed_by",
    "^starring",
    "directed_by/born_in",
    "born_in/located_in",
    "directed_by/^directed_by",
    "^starring/directed_by",
    "directed_by/^directed_by/genre",
    "written_by/^written_by/released_in",
)
"""The chains of relations that are asked about; ``^`` is a relation from object to subject."""
RECIPE = replace(FACT_PRESETS["kv-chain"], epochs=16, learning_rate=0.01, evaluation_interval=16)
VALIDATION_SHARE = 0.1
MOST_EDITED = 1000
"""Facts, at most, that a page shows for editing."""


class TrainedOnFacts(NamedTuple):
    """A network, the seconds of its training, and the share of validation questions it answers."""

    answerer: FactAnswerer
    seconds: float
    hits: float


_trained: list[TrainedOnFacts] = []
_lock = threading.Lock()


def network() -> TrainedOnFacts:
    """Return a network that is trained on an invented world, from an earlier call if there was."""
    with _lock:  # each open page has its own thread
        if not _trained:
            began = time.monotonic()
            answerer = FactAnswerer(RECIPE, kernels="reference").fit(
                made_world(FACTS),
                templates={chain: SENTENCES[chain] for chain in CHAINS},
                validation_share=VALIDATION_SHARE,
            )
            seconds = time.monotonic() - began
            _trained.append(
                TrainedOnFacts(answerer, seconds, answerer.history[-1]["validation_hits1"])
            )
        return _trained[0]


def example_questions(base: KnowledgeBase) -> dict[str, str]:
    """Return a question per chain of relations that begins in a base, by the chain."""
    first = {}
    for fact in base:
        first.setdefault(fact.relation, fact.subject)
        first.setdefault(f"^{fact.relation}", fact.object)
    return {
        chain: SENTENCES[chain][0].replace("[]", f"[{first[chain.partition('/')[0]]}]") + "?"
        for chain in CHAINS
        if chain.partition("/")[0] in first
    }


def text_of(base: KnowledgeBase) -> str:
    """Return the facts of a base as text, a line ``subject | relation | object`` each."""
    return "\n".join(map(str, base))


def base_of(text: str, known: KnowledgeBase) -> KnowledgeBase:
    """Return the base that a text lists, as `text_of` writes it.

    Parameters
    ----------
    text : str
    known : KnowledgeBase
        Has the relations that a network knows.

    Raises
    ------
    InputError
        If a line is not a fact, or has another relation. The message names the line.
    """
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        fields = [each.strip() for each in line.split("|")]
        if len(fields) != 3 or not all(fields):
            raise InputError(
                f"line {number} of the facts, {shown(line.strip())}, is not a fact; write "
                "subject | relation | object"
            )
        if fields[1] not in known.relations:
            raise InputError(
                f"line {number} of the facts: the network does not know the relation "
                f"{shown(fields[1])}; use one of {', '.join(known.relations)}"
            )
        rows.append(tuple(fields))
    if not rows:
        raise InputError("there are no facts; write one, subject | relation | object")
    return KnowledgeBase.of_facts(rows)


def ask(answerer: FactAnswerer, question: str, base: KnowledgeBase) -> FactAnswer:
    """Ask a network a question about the facts of a base.

    Raises
    ------
    InputError
        If the question is empty, names no entity of the base, or has no known word.
    """
    if not question.strip():
        raise InputError("there is no question; write one that names an entity of the facts")
    return answerer.predict([question.strip()], base)[0]
