"""A training's progress: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Sequence

from tqdm import tqdm

from kvnet.training.run import Run

SECONDS_BETWEEN_LINES = 10
SECONDS_OF_SILENCE = 60  # in an epoch that takes longer


class Progress:
    """Show the epoch, loss, last evaluation, speed and time left, on standard error.

    Parameters
    ----------
    runs : sequence of Run
        That train side by side; of several, one's loss is shown, and the best last evaluation.
    name : str
        What they are, for the bar's front.
    quiet : bool
        Show nothing.
    """

    def __init__(self, runs: Sequence[Run], name: str, quiet: bool):
        self.runs, self.name, self.quiet = runs, name, quiet
        self._terminal = sys.stderr.isatty()
        self._batch = runs[0].settings.batch_size
        self._steps = sum(run.trainer.steps for run in runs)
        self._bar = tqdm(
            desc=name,
            total=self._steps * self._batch,
            initial=self._done * self._batch,
            unit=f" {runs[0].unit}",
            unit_scale=True,
            dynamic_ncols=True,
            leave=False,
            disable=quiet or not self._terminal,
        )
        self._done_before, self._began = self._done, time.monotonic()
        self._last_line, self._evaluations = self._began, self._evaluated
        self._epoch = self._least_far.trainer.epoch  # of the last line

    @property
    def _done(self):
        return sum(run.trainer.step for run in self.runs)

    @property
    def _evaluated(self):
        return sum(len(run.history) for run in self.runs)

    def step(self, count: int) -> None:
        """Count steps; after an epoch, or after a minute, say how it stands."""
        self._bar.update(count * self._batch)
        if self.quiet:
            return
        epoch = self._least_far.trainer.epoch
        if self._terminal:
            if epoch > self._epoch:
                self._epoch = epoch
                self._bar.set_postfix_str(self._standing(), refresh=False)
            return
        now = time.monotonic()
        evaluated = self._evaluated > self._evaluations
        patience = SECONDS_BETWEEN_LINES if epoch > self._epoch else SECONDS_OF_SILENCE
        if evaluated or now - self._last_line >= patience:
            self._last_line, self._evaluations, self._epoch = now, self._evaluated, epoch
            pace = (self._done - self._done_before) / (now - self._began)
            left = (self._steps - self._done) / pace
            rate = f"{pace * self._batch:,.0f} {self.runs[0].unit}/s"
            print(
                f"{self.name}: {self._standing()}, {rate}, {tqdm.format_interval(left)} left",
                file=sys.stderr,
                flush=True,
            )

    def close(self) -> None:
        """Clear the bar."""
        self._bar.close()

    @property
    def _least_far(self):
        return min(self.runs, key=lambda run: run.trainer.step)

    def _standing(self):
        run = self._least_far
        trainer = run.trainer
        text = f"epoch {trainer.epoch}/{run.settings.epochs}"
        if not trainer.at_epoch_end:
            place = trainer.step % trainer.batches.steps_per_epoch
            text += f" and {place}/{trainer.batches.steps_per_epoch} steps"
        if trainer.loss is not None:
            text += f", {run.told_loss()}"
        evaluated = [run for run in self.runs if run.history]
        if evaluated:
            best = max(evaluated, key=lambda run: run.score(run.history[-1]))
            text += f", {best.told(best.history[-1])}"
        return text
