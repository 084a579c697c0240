"""Question answering on a knowledge base: fit, predict, save, load."""

from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import numpy

from kvnet.backend import array_module, to_numpy
from kvnet.data.entity_finding import MARKER, ask_about, words_of_question
from kvnet.data.fact_data import encode_facts
from kvnet.data.knowledge_base import Fact, KnowledgeBase
from kvnet.data.knowledge_questions import held_out, joined, questions_of_pairs
from kvnet.data.templates import questions_of_templates, read_templates, templates_of
from kvnet.data.text_lines import shortened
from kvnet.errors import InputError, shown
from kvnet.files.checkpoint import read_arrays, write_arrays
from kvnet.training.compiling import announce_compilation
from kvnet.training.fact_run import FactRun
from kvnet.training.recipes.enough_steps import with_enough_steps
from kvnet.training.recipes.facts import (
    DEFAULT_FACT_PRESET,
    FACT_PRESETS,
    FACT_RECIPES,
)
from kvnet.training.recipes.recipe import Recipe
from kvnet.training.session import check_random_state, check_recipe, train_to_end
from kvnet.training.trained_file import Trained, trained_from_state, trained_state

LEAST_PROBABILITY = 0.05
"""Below this, an answer is not in the memory."""
LEAST_WEIGHT = 0.005
SHOWN = 10
"""Answers of a question, and facts of a hop, that an answer lists."""


class ReadFact(NamedTuple):
    """A fact that was read in a hop, and its weight."""

    fact: Fact
    weight: float


class ScoredAnswer(NamedTuple):
    """A possible answer and its probability."""

    name: str
    probability: float


class FactAnswer(NamedTuple):
    """What was read in a knowledge base for a question.

    Attributes
    ----------
    entity : str
        The entity that the question is about.
    answers : list of ScoredAnswer
        The best answers, the most probable first; empty if the entity has no facts.
    hops : list of list of ReadFact
        The facts that each hop read, at most ten, those with the largest weights first; weights
        below 0.005 are left out.
    notes : list of str
        What else there is to say: words and facts that were left out, other entities that were
        named.
    """

    entity: str
    answers: list[ScoredAnswer]
    hops: list[list[ReadFact]]
    notes: list[str]

    @property
    def best(self) -> str | None:
        """The most probable answer; None if it is not in the memory.

        That is so if no answer has a probability of 0.05: no fact on the way has the relation that
        the question asks for.
        """
        probable = self.answers and self.answers[0].probability >= LEAST_PROBABILITY
        return self.answers[0].name if probable else None


class FactAnswerer:
    """A key-value memory network that answers questions from a knowledge base.

    Parameters
    ----------
    recipe : a recipe of `FACT_RECIPES`, optional
        Hyper-parameters; they select the model. By default those of the preset ``kv-chain``, with
        more epochs if there are few questions.
    backend : {"numpy", "cupy", "auto"}, default="numpy"
        Array library; ``"auto"`` uses a GPU if there is one.
    random_state : int, default=0
        Seed, 0 to 2**32 - 1.
    kernels : {"reference", "fused", "auto"}, default="auto"
        Textbook operations, fused ones, or fused ones where they run.
    verbose : bool, default=False
        Show the progress of `fit` on standard error.

    Attributes
    ----------
    base : KnowledgeBase
        After `fit` or `load`: the base that `predict` answers from. Another one may be assigned.
    model : Network
        After `fit` or `load`.
    vocabulary : Vocabulary
        The words of the training questions.
    history : list of dict
        After `fit`: one record per evaluation, with the loss and the scores.

    Examples
    --------
    >>> from kvnet import FactAnswerer, KnowledgeBase
    >>> facts = [(f"film {n}", "directed_by", f"director {n % 9}") for n in range(40)]
    >>> base = KnowledgeBase.of_facts(facts)
    >>> templates = {"directed_by": ["who directed []"], "^directed_by": ["films directed by []"]}
    >>> answerer = FactAnswerer().fit(base, templates=templates)
    >>> answer = answerer.predict(["who directed film 7?"])[0]
    >>> answer.best
    'director 7'
    >>> print(answer.hops[0][0].fact)
    film 7 | directed_by | director 7
    """

    def __init__(
        self,
        recipe: Recipe | None = None,
        backend: str = "numpy",
        random_state: int = 0,
        kernels: str = "auto",
        verbose: bool = False,
    ):
        self.recipe, self.backend, self.kernels = recipe, backend, kernels
        self.random_state, self.verbose = random_state, verbose

    def fit(
        self,
        base: KnowledgeBase,
        questions: Sequence[tuple[str, str | Sequence[str]]] = (),
        templates: Mapping[str, Sequence[str]] | str | Path | None = None,
        validation_share: float = 0.0,
    ) -> "FactAnswerer":
        """Train on questions about a base, as ``train_kb.py`` trains.

        Ctrl-C ends the training after the current steps and raises KeyboardInterrupt; the model is
        then usable as far as it is trained.

        Parameters
        ----------
        base : KnowledgeBase
        questions : sequence of (question, answers)
            Such as ``("who directed [Kismet]", ["William Dieterle"])``; the brackets may be left
            out.
        templates : mapping of str to sequence of str, or path of a file, optional
            Sentences by chain of relations, from which questions are made; see
            `kvnet.data.templates`.
        validation_share : float, default=0.0
            Share of the questions that is drawn at random, not trained on, and evaluated as
            validation. Early stopping needs one.

        Returns
        -------
        self : FactAnswerer

        Raises
        ------
        InputError
            If there are neither questions nor templates, one of them cannot be used, the recipe
            cannot be applied to them, or the training diverges; the answerer is then as it was
            before.

        Warns
        -----
        UserWarning
            If ``kernels="fused"`` is not possible for whole steps.
        """
        check_recipe(self.recipe, tuple(FACT_RECIPES.values()))
        _check_base(base)
        check_random_state(self.random_state)
        if not isinstance(validation_share, Real) or not 0 <= validation_share < 1:
            raise InputError(
                f"validation_share={shown(validation_share)} is out of range; it takes a number "
                "from 0, below 1"
            )
        parts = [questions_of_pairs(list(questions), base)] if len(questions) else []
        if templates is not None:
            of_mapping = isinstance(templates, Mapping)
            read = templates_of if of_mapping else lambda path, base: read_templates(path, base)
            made = questions_of_templates(
                base, read(templates, base), random_state=self.random_state
            )
            parts += made.values()
        if not parts:
            raise InputError("fit needs questions or templates; give at least one")
        questions = joined(parts)
        splits = {"training": questions}
        if validation_share:
            share = max(validation_share, 1 / len(questions))
            kept, drawn = held_out(questions, share, self.random_state, "validation")
            splits = {"training": kept, "validation": drawn}
        recipe = self.recipe or with_enough_steps(
            FACT_PRESETS[DEFAULT_FACT_PRESET], len(splits["training"])
        )
        if recipe.early_stopping and not validation_share:
            raise InputError(
                f"early_stopping={recipe.early_stopping} needs validation questions; give fit a "
                "validation_share, or leave early_stopping at 0"
            )
        data = encode_facts(base, splits, array_module(self.backend))
        run = FactRun(data, recipe, self.random_state, backend=self.backend, kernels=self.kernels)
        before = dict(vars(self))
        self._set(base, Trained(run.model, data.vocabulary, recipe))
        self.history = run.history
        try:
            train_to_end(run, self.verbose)
        except Exception:  # it diverged, or the like: its model is of no use
            vars(self).clear()
            vars(self).update(before)
            raise
        return self

    def predict(
        self, questions: Sequence[str], base: KnowledgeBase | None = None
    ) -> list[FactAnswer]:
        """Answer questions from the facts of a base.

        Parameters
        ----------
        questions : sequence of str
            A question names one entity, in brackets or not.
        base : KnowledgeBase, optional
            The facts to answer from, in place of `base`: the same relations, any entities.

        Returns
        -------
        answers : list of FactAnswer

        Raises
        ------
        InputError
            If a question names no entity of the base or has no known word, or nothing has been
            trained or loaded yet.
        """
        self._check_trained()
        if isinstance(questions, str):
            raise InputError("predict takes a list of questions; put the question in a list")
        base = self.base if base is None else base
        _check_base(base)
        with announce_compilation():
            return [self._answer(question, base) for question in questions]

    def save(self, path: str | Path) -> None:
        """Write the model, its vocabulary, its recipe and the base to a file.

        Parameters
        ----------
        path : str or Path
            A safetensors file, written to a temporary name first and renamed.

        Raises
        ------
        InputError
            If it cannot be written, or nothing has been trained or loaded yet.
        """
        self._check_trained()
        arrays, metadata = trained_state(self._trained)
        base_arrays, base_metadata = self._aligned(self.base).state()  # the model knows its ids
        write_arrays(path, arrays | base_arrays, metadata | base_metadata)

    @classmethod
    def load(
        cls, path: str | Path, backend: str = "numpy", kernels: str = "auto"
    ) -> "FactAnswerer":
        """Read a file that `save` or ``train_kb.py`` wrote.

        Parameters
        ----------
        path : str or Path
        backend : {"numpy", "cupy", "auto"}, default="numpy"
        kernels : {"reference", "fused", "auto"}, default="auto"

        Returns
        -------
        answerer : FactAnswerer

        Raises
        ------
        InputError
            If the file cannot be read or has no model that answers from a base.
        """
        arrays, metadata = read_arrays(path)
        trained = trained_from_state(path, arrays, metadata, FACT_RECIPES, backend, kernels)
        answerer = cls(trained.recipe, backend, kernels=kernels)
        answerer._set(KnowledgeBase.from_state(path, arrays, metadata), trained)
        return answerer

    def _set(self, base, trained):
        self.base, self._trained = base, trained
        self.model, self.vocabulary = trained.model, trained.vocabulary
        self._trained_base, self._last = base, (base, base)

    def _aligned(self, base):
        """Return a base with the ids that the model was trained with."""
        if base is not self._last[0]:
            first = self._trained_base
            same = base is first
            self._last = base, base if same else base.aligned(first.entities, first.relations)
        return self._last[1]

    def _answer(self, question, base):
        if not isinstance(question, str):
            raise InputError(f"{shortened(repr(question))} is not a question; give it as text")
        asked = ask_about(question, base, None, self.vocabulary, all_words=True)
        words = words_of_question(asked.text)
        known = [word for word in words if word in self.vocabulary]
        if known == [MARKER]:
            raise InputError(
                f"{shortened(repr(question))} has no word of the training questions besides the "
                "entity; ask as they do"
            )
        memory = self._aligned(base)
        name = base.entities[asked.entity]
        word_ids = self.model.xp.asarray(self.vocabulary.ids(known, "the question"))
        reading = self.model.read(memory, word_ids, memory.find(name))
        entities, probabilities = to_numpy(reading.entities), to_numpy(reading.probabilities)
        best = numpy.argsort(-probabilities, kind="stable")[:SHOWN]
        answers = [
            ScoredAnswer(memory.entities[entities[i]], float(probabilities[i])) for i in best
        ]
        hops = [_read_facts(memory, *map(to_numpy, hop)) for hop in reading.hops]
        notes = _notes(base, asked, words, known)
        if reading.cut:
            notes.append(f"{reading.cut:,} facts around {name} are left out of the memory")
        return FactAnswer(name, answers, hops, notes)

    def _check_trained(self):
        if not hasattr(self, "model"):
            raise InputError("this FactAnswerer is not trained; call fit, or use load")


def _check_base(base):
    if not isinstance(base, KnowledgeBase):
        raise InputError(
            f"base is a {type(base).__name__}; give a KnowledgeBase, from KnowledgeBase.read or "
            "KnowledgeBase.of_facts"
        )


def _read_facts(base, owners, edges, weights):
    """Return the facts of a hop with the largest weights."""
    largest = numpy.argsort(-weights, kind="stable")[:SHOWN]
    largest = largest[weights[largest] >= LEAST_WEIGHT]
    return [
        ReadFact(base.fact_of_edge(int(owners[i]), int(edges[i])), float(weights[i]))
        for i in largest
    ]


def _notes(base, asked, words, known):
    notes = []
    if asked.others:
        others = " and ".join(base.entities[entity] for entity in asked.others)
        notes.append(
            f"taken to be about {base.entities[asked.entity]}; {others} is named as well, put one "
            "in brackets to choose"
        )
    if len(known) < len(words):
        unknown = ", ".join(dict.fromkeys(repr(word) for word in words if word not in known))
        notes.append(f"read without {unknown}, which no training question has")
    return notes
