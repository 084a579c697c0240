"""A training of the language model: measured by how well it foretells another text."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import exp

from kvnet.training.run import Run
from kvnet.training.text_loss import text_loss


class TextRun(Run):
    """Train one language model on one text; see `Run`."""

    unit = "words"

    def _new_model(self, seed, backend, kernels):
        return self.settings.new_model(len(self.data.vocabulary), seed, backend, kernels)

    def _training_data(self):
        return self.data.training

    def _fingerprints(self):
        return [text.fingerprint for text in (self.data.training, self.data.validation)]

    def _measure(self):
        with self._averaged():
            return {"validation_loss": text_loss(self.model, self.data.validation)}

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Put the weights' average in their place, where the optimiser keeps one."""
        last = self.model.theta.copy()
        self._take_average()
        try:
            yield
        finally:
            self.model.theta[:] = last

    def _take_average(self):
        if self.trainer.optimizer.average is not None:
            self.model.theta[:] = self.trainer.optimizer.average

    def end(self) -> None:
        """After the last step, take the average of the weights, if one is kept."""
        self._take_average()

    def score(self, record: dict) -> float:
        """Return the validation loss with its sign changed."""
        return -record["validation_loss"]

    def told(self, record: dict) -> str:
        """Name the validation perplexity."""
        return f"validation perplexity {perplexity(record['validation_loss']):.1f}"

    def told_loss(self) -> str:
        """Name the training perplexity and the rate that the training goes on with."""
        rate = self.trainer.optimizer.learning_rate_at(self.trainer.step)
        return f"perplexity {perplexity(self.trainer.loss):.1f}, rate {rate:.3g}"


def perplexity(loss: float) -> float:
    """Return e to the power of the mean loss of a word; infinite where that is too large."""
    return exp(loss) if loss < 700 else float("inf")
