"""A training on questions about a knowledge base, measured by hits@1."""

import msgspec
import numpy

from kvnet.data.knowledge_questions import Questions
from kvnet.data.task_data import SPLITS
from kvnet.free_memory import check_memory
from kvnet.training.fact_scores import fact_scores
from kvnet.training.run import Record, Run

HOPS = {1: "1 hop", 2: "2 hops", 3: "3 hops"}


Scores = dict[str, dict[str, float]]


class FactRecord(Record):
    """An evaluation on questions; a split that a run does not have is left out."""

    training_hits1: float
    training_by_type: Scores
    training_by_hops: Scores
    validation_hits1: float | msgspec.UnsetType = msgspec.UNSET
    validation_by_type: Scores | msgspec.UnsetType = msgspec.UNSET
    validation_by_hops: Scores | msgspec.UnsetType = msgspec.UNSET
    testing_hits1: float | msgspec.UnsetType = msgspec.UNSET
    testing_by_type: Scores | msgspec.UnsetType = msgspec.UNSET
    testing_by_hops: Scores | msgspec.UnsetType = msgspec.UNSET


class FactRun(Run):
    """Train one model on the questions about a base; see `Run`.

    Its records have, for each split of the data, hits@1 (``validation_hits1``), and the means of
    hits@1, hits@5 and the F1 of the set of answers by number of hops and by type of question
    (``validation_by_hops``, ``validation_by_type``).
    """

    unit, Record = "questions", FactRecord

    def _check_memory(self):
        """Refuse a batch whose readings, one per hop, exceed the memory."""
        if self.model.xp is not numpy:
            return
        c, B = self.model.config, min(self.recipe.batch_size, len(self.data.training))
        numbers = B * c.hops * (c.embedding_size + c.relations)
        size = self.recipe.setting("batch_size", B)
        remedy = f"use a smaller {self.recipe.setting('batch_size')}"
        check_memory(numpy.dtype(c.dtype).itemsize * numbers, f"a step with {size}", remedy)

    def _training_data(self):
        return self.data.training

    def _splits(self):
        pairs = ((name, getattr(self.data, name)) for name in SPLITS)
        return {name: split for name, split in pairs if split is not None}

    def _fingerprints(self):
        splits = [split.fingerprint for split in self._splits().values()]
        return [self.data.base.fingerprint, *splits]

    def _measure(self):
        record = {}
        for name, split in self._splits().items():
            scores = fact_scores(self.model, split)._asdict()
            record[f"{name}_by_type"] = means_by(rows_by_type(split.questions), scores)
            record[f"{name}_by_hops"] = means_by(rows_by_hops(split.questions), scores)
            record[f"{name}_hits1"] = record[f"{name}_by_hops"]["all"]["hits1"]
        return record

    def score(self, record: dict) -> float:
        """Return hits@1 on validation, or on the training questions if nothing was held out."""
        return record.get("validation_hits1", record["training_hits1"])

    def _content(self):
        arrays, metadata = super()._content()
        base_arrays, base_metadata = self.data.base.state()
        return arrays | base_arrays, metadata | base_metadata


def rows_by_hops(questions: Questions) -> dict[str, numpy.ndarray]:
    """Return the questions of each number of hops, where it is known, and all questions."""
    rows = {hops: numpy.flatnonzero(questions.hops == hops) for hops in HOPS}
    named = {HOPS[hops]: found for hops, found in rows.items() if len(found)}
    return named | {"all": numpy.arange(len(questions))}


def rows_by_type(questions: Questions) -> dict[str, numpy.ndarray]:
    """Return the questions of each type, where the types are known."""
    if questions.types is None:
        return {}
    names, types = numpy.unique(questions.types, return_inverse=True)
    return {str(name): numpy.flatnonzero(types == i) for i, name in enumerate(names)}


def means_by(
    rows: dict[str, numpy.ndarray], scores: dict[str, numpy.ndarray]
) -> dict[str, dict[str, float]]:
    """Return the mean of each score over each group of questions, and their number.

    Parameters
    ----------
    rows : dict of str to (n,) int array
        The questions of each group.
    scores : dict of str to (Q,) float array

    Returns
    -------
    means : dict of str to dict of str to float
    """
    return {
        group: {"questions": len(members)}
        | {measure: float(values[members].mean()) for measure, values in scores.items()}
        for group, members in rows.items()
    }
