"""The progress of a training: a bar on a terminal, plain lines elsewhere, and its wording."""

import sys
import time
from collections.abc import Sequence

from tqdm import tqdm

from kvnet.training.run import Run
from kvnet.training.text_run import perplexity

SECONDS_BETWEEN_LINES = 10
SECONDS_WITHIN_EPOCH = 60  # between lines in an epoch that takes long


def evaluation_text(record: dict) -> str:
    """Describe an evaluation in a few words."""
    if "validation_loss" in record:
        return f"validation perplexity {perplexity(record['validation_loss']):.1f}"
    measure, words = ("hits1", "hits@1") if "training_hits1" in record else ("accuracy",) * 2
    name = "validation" if f"validation_{measure}" in record else "training"
    return f"{name} {words} {record[f'{name}_{measure}']:.3f}"


def loss_text(run: Run) -> str:
    """Describe the training loss of a run's last epoch in a few words."""
    trainer = run.trainer
    if run.unit == "questions":
        return f"loss {trainer.loss:.3f}"
    rate = trainer.optimizer.learning_rate_at(trainer.step)
    return f"perplexity {perplexity(trainer.loss):.1f}, rate {rate:.3g}"


class Progress:
    """Show the epoch, the loss, the last evaluation, the speed and the time left, on stderr.

    Parameters
    ----------
    runs : sequence of Run
        Trained side by side. Of several, the loss of one is shown, and the best last evaluation.
    name : str
        Shown in front.
    quiet : bool
        Show nothing.
    """

    def __init__(self, runs: Sequence[Run], name: str, quiet: bool):
        self.runs, self.name, self.quiet = runs, name, quiet
        self._terminal = sys.stderr.isatty()
        self._batch, self._unit = runs[0].recipe.batch_size, runs[0].unit
        self._steps = sum(run.trainer.steps for run in runs)
        self._bar = tqdm(
            desc=name,
            total=self._steps * self._batch,
            initial=self._done * self._batch,
            unit=f" {self._unit}",
            unit_scale=True,
            dynamic_ncols=True,
            leave=False,
            disable=quiet or not self._terminal,
        )
        self._done_before, self._began = self._done, time.monotonic()
        self._last_line, self._evaluations = self._began, self._evaluated
        self._epoch = self._slowest.trainer.epoch  # of the last line

    @property
    def _done(self):
        return sum(run.trainer.step for run in self.runs)

    @property
    def _evaluated(self):
        return sum(len(run.history) for run in self.runs)

    def step(self, count: int) -> None:
        """Count steps; show the state after an epoch, or after a minute."""
        self._bar.update(count * self._batch)
        if self.quiet:
            return
        epoch = self._slowest.trainer.epoch
        if self._terminal:
            if epoch > self._epoch:
                self._epoch = epoch
                self._bar.set_postfix_str(self._state_text(), refresh=False)
            return
        now = time.monotonic()
        evaluated = self._evaluated > self._evaluations
        patience = SECONDS_BETWEEN_LINES if epoch > self._epoch else SECONDS_WITHIN_EPOCH
        if evaluated or now - self._last_line >= patience:
            self._last_line, self._evaluations, self._epoch = now, self._evaluated, epoch
            speed = (self._done - self._done_before) / max(now - self._began, 1e-9)
            seconds_left = (self._steps - self._done) / speed
            rate = f"{speed * self._batch:,.0f} {self._unit}/s"
            time_left = tqdm.format_interval(seconds_left)
            line = f"{self.name}: {self._state_text()}, {rate}, {time_left} left"
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()

    @property
    def _slowest(self):
        return min(self.runs, key=lambda run: run.trainer.step)

    def _state_text(self):
        run = self._slowest
        trainer = run.trainer
        text = f"epoch {trainer.epoch}/{run.recipe.epochs}"
        if not trainer.at_epoch_end:
            step = trainer.step % trainer.batches.steps_per_epoch
            text += f" and {step}/{trainer.batches.steps_per_epoch} steps"
        if trainer.loss is not None:
            text += f", {loss_text(run)}"
        evaluated = [run for run in self.runs if run.history]
        if evaluated:
            best = max(evaluated, key=lambda run: run.score(run.history[-1]))
            text += f", {evaluation_text(best.history[-1])}"
        return text
