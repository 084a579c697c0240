"""A training on questions, measured by the share of correct answers."""

from statistics import fmean

import msgspec

from kvnet.data.task_data import SPLITS
from kvnet.training.evaluation import accuracy_by_task
from kvnet.training.run import Record, Run


class TaskRecord(Record):
    """An evaluation on questions; a split that a run does not have is left out."""

    training_accuracy: float
    training_accuracy_by_task: dict[str, float]
    validation_accuracy: float | msgspec.UnsetType = msgspec.UNSET
    validation_accuracy_by_task: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    testing_accuracy: float | msgspec.UnsetType = msgspec.UNSET
    testing_accuracy_by_task: dict[str, float] | msgspec.UnsetType = msgspec.UNSET


class TaskRun(Run):
    """Train one model on the questions of some tasks; see `Run`.

    Its records have the accuracy of each split of the data, mean over tasks and by task.
    """

    unit, Record = "questions", TaskRecord

    def _training_data(self):
        return self.data.varied or self.data.training.dataset

    def _splits(self):
        pairs = ((name, getattr(self.data, name)) for name in SPLITS)
        return {name: split for name, split in pairs if split is not None}

    def _fingerprints(self):
        return [split.dataset.fingerprint for split in self._splits().values()]

    def _measure(self):
        record = {}
        for name, split in self._splits().items():
            accuracy = accuracy_by_task(self.model, split.dataset, split.tasks)
            record[f"{name}_accuracy"] = fmean(accuracy.values())
            record[f"{name}_accuracy_by_task"] = {str(t): a for t, a in accuracy.items()}
        return record

    def score(self, record: dict) -> float:
        """Return the validation accuracy, or the training accuracy if nothing was held out."""
        return record.get("validation_accuracy", record["training_accuracy"])
