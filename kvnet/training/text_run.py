"""A training of the language model, measured by its loss on the validation text."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import exp

from kvnet.training.run import Record, Run
from kvnet.training.text_loss import text_loss


class TextRecord(Record):
    """An evaluation on a text."""

    validation_loss: float


class TextRun(Run):
    """Train one language model on one text; see `Run`.

    Its records have the validation loss, of the averaged weights if the optimiser averages.
    """

    unit, Record = "words", TextRecord

    def _training_data(self):
        return self.data.training

    def _fingerprints(self):
        return [text.fingerprint for text in (self.data.training, self.data.validation)]

    def _measure(self):
        with self._averaged():
            return {"validation_loss": text_loss(self.model, self.data.validation)}

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Use the averaged weights, if there are any, inside the context."""
        last = self.model.theta.copy()
        self._load_average()
        try:
            yield
        finally:
            self.model.theta[:] = last

    def _load_average(self):
        if self.trainer.optimizer.average is not None:
            self.model.theta[:] = self.trainer.optimizer.average

    def end(self) -> None:
        """Load the averaged weights into the model, if there are any."""
        self._load_average()

    def score(self, record: dict) -> float:
        """Return the negative validation loss."""
        return -record["validation_loss"]


def perplexity(loss: float) -> float:
    """Return the exponential of the mean loss per word; infinite if it is too large."""
    return exp(loss) if loss < 700 else float("inf")


def perplexity_text(value: float) -> str:
    """Return a perplexity with one decimal, or in exponential notation from a million on."""
    return f"{value:.1f}" if value < 1e6 else f"{value:.2e}"
