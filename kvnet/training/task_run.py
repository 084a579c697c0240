"""A training on bAbI tasks: measured by the share of questions answered right."""

from statistics import fmean

from kvnet.training.evaluation import accuracy_by_task
from kvnet.training.run import Run

SPLITS = ("testing", "training", "validation")


class TaskRun(Run):
    """Train one model on one set of tasks; see `Run`."""

    unit = "questions"

    def _new_model(self, seed, backend, kernels):
        data = self.data
        return self.settings.new_model(len(data.vocabulary), data.sizes, seed, backend, kernels)

    def _training_data(self):
        return self.data.training.dataset

    def _fingerprints(self):
        return [getattr(self.data, name).dataset.fingerprint for name in SPLITS]

    def _measure(self):
        record = {}
        for name in SPLITS:
            split = getattr(self.data, name)
            accuracy = accuracy_by_task(self.model, split.dataset, split.tasks)
            record[f"{name}_accuracy"] = fmean(accuracy.values())
            record[f"{name}_accuracy_by_task"] = {str(t): a for t, a in accuracy.items()}
        return record

    def score(self, record: dict) -> float:
        """Return the validation accuracy."""
        return record["validation_accuracy"]

    def told(self, record: dict) -> str:
        """Name the validation accuracy."""
        return f"validation accuracy {record['validation_accuracy']:.3f}"

    def told_loss(self) -> str:
        """Name the training loss."""
        return f"loss {self.trainer.loss:.3f}"
