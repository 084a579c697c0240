"""The progress of a training: plain lines, on a terminal with a bar below them, and its wording."""

import sys
import time
from collections.abc import Sequence

from tqdm import tqdm

from kvnet.training.compiling import CompileClock
from kvnet.training.run import Run
from kvnet.training.text_run import perplexity, perplexity_text

FIRST_SECONDS_BETWEEN_LINES = 5
MOST_SECONDS_BETWEEN_LINES = 60  # the time doubles from line to line
SECONDS_BETWEEN_EVALUATIONS = 0.5  # that a pipe or a file gets, except the last


def evaluation_text(record: dict) -> str:
    """Describe an evaluation in a few words."""
    if "validation_loss" in record:
        return f"validation perplexity {perplexity_text(perplexity(record['validation_loss']))}"
    measure, words = ("hits1", "hits@1") if "training_hits1" in record else ("accuracy",) * 2
    name = "validation" if f"validation_{measure}" in record else "training"
    return f"{name} {words} {record[f'{name}_{measure}']:.3f}"


def loss_text(run: Run) -> str:
    """Describe the training loss of a run's last epoch in a few words."""
    trainer = run.trainer
    if run.unit == "questions":
        return f"loss {trainer.loss:.3f}"
    rate = trainer.optimizer.learning_rate_at(trainer.step)
    return f"perplexity {perplexity_text(perplexity(trainer.loss))}, rate {rate:.3g}"


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
        self._last_line, self._evaluations = time.monotonic(), self._evaluated
        self._patience = FIRST_SECONDS_BETWEEN_LINES
        self._epoch = self._slowest.trainer.epoch  # that the bar shows
        self._clock, self._compiled = CompileClock(), None
        self._clock.register()

    @property
    def _done(self):
        return sum(run.trainer.step for run in self.runs)

    @property
    def _evaluated(self):
        return sum(len(run.history) for run in self.runs)

    def step(self, count: int) -> None:
        """Count steps; show the state after an evaluation, and elsewhere than on a terminal often.

        The time left does not count the compilation of kernels, nor the first steps, which compile
        on a GPU.
        """
        if self.quiet:
            return
        self._leave_out_compilation()
        self._bar.update(count * self._batch)
        epoch, now = self._slowest.trainer.epoch, time.monotonic()
        if epoch > self._epoch:
            self._epoch = epoch
            self._bar.set_postfix_str(self._state_text(), refresh=False)
        since = now - self._last_line
        evaluated = self._evaluated > self._evaluations
        finished = all(run.finished for run in self.runs)
        due = since >= self._patience and not self._terminal
        shown = self._terminal or finished or since >= SECONDS_BETWEEN_EVALUATIONS
        if (evaluated and shown) or due:
            self._patience = min(2 * self._patience, MOST_SECONDS_BETWEEN_LINES)
            self._last_line, self._evaluations = now, self._evaluated
            line = f"{self.name}: {self._state_text()}{self._time_text(now)}"
            tqdm.write(line, file=sys.stderr)  # above the bar, where it stays
            sys.stderr.flush()

    def _leave_out_compilation(self):
        """Move the beginning of the measurement by the time of compilations since the last call."""
        if self._compiled is None:  # after the first steps
            self._began, self._done_before = time.monotonic(), self._done
            self._bar.unpause()
        elif self._clock.seconds > self._compiled:
            self._began += self._clock.seconds - self._compiled
            self._bar.unpause()
        self._compiled = self._clock.seconds

    def _time_text(self, now):
        """Describe the speed and the time left, once there are steps to measure."""
        steps, seconds = self._done - self._done_before, now - self._began
        if steps <= 0 or seconds <= 0:
            return ""
        seconds_left = (self._steps - self._done) * seconds / steps
        rate = f"{steps / seconds * self._batch:,.0f} {self._unit}/s"
        return f", {rate}, {tqdm.format_interval(seconds_left)} left"

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()
        self._clock.unregister()

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
