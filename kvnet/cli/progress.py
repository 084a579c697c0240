"""A training's progress: a bar on a terminal, plain lines elsewhere."""

import sys
import time

from tqdm import tqdm

from kvnet.training.run import Run

SECONDS_BETWEEN_LINES = 10
SECONDS_OF_SILENCE = 60  # in an epoch that takes longer


class Progress:
    """Show a run's epoch, loss, last evaluation, speed and time left, on standard error.

    Parameters
    ----------
    run : Run
    name : str
        What the run is, for the bar's front.
    quiet : bool
        Show nothing.
    """

    def __init__(self, run: Run, name: str, quiet: bool):
        self.run, self.name, self.quiet = run, name, quiet
        self._terminal = sys.stderr.isatty()
        trainer = run.trainer
        self._batch = run.settings.batch_size
        self._bar = tqdm(
            desc=name,
            total=trainer.steps * self._batch,
            initial=trainer.step * self._batch,
            unit=f" {run.unit}",
            unit_scale=True,
            dynamic_ncols=True,
            leave=False,
            disable=quiet or not self._terminal,
        )
        self._first_step, self._began = trainer.step, time.monotonic()
        self._last_line, self._evaluations = self._began, len(run.history)

    def step(self, count: int) -> None:
        """Count steps; at an epoch's end, or after a minute, say how it stands."""
        self._bar.update(count * self._batch)
        run = self.run
        if self.quiet:
            return
        if self._terminal:
            if run.trainer.at_epoch_end:
                self._bar.set_postfix_str(self._standing(), refresh=False)
            return
        now = time.monotonic()
        evaluated = len(run.history) > self._evaluations
        patience = SECONDS_BETWEEN_LINES if run.trainer.at_epoch_end else SECONDS_OF_SILENCE
        if evaluated or now - self._last_line >= patience:
            self._last_line, self._evaluations = now, len(run.history)
            steps = run.trainer.step - self._first_step
            pace = steps / (now - self._began)
            left = (run.trainer.steps - run.trainer.step) / pace
            print(
                f"{self.name}: {self._standing()}, {pace * self._batch:,.0f} {run.unit}/s, "
                f"{tqdm.format_interval(left)} left",
                file=sys.stderr,
                flush=True,
            )

    def close(self) -> None:
        """Clear the bar."""
        self._bar.close()

    def _standing(self):
        run, trainer = self.run, self.run.trainer
        text = f"epoch {trainer.epoch}/{run.settings.epochs}"
        if not trainer.at_epoch_end:
            place = trainer.step % trainer.batches.steps_per_epoch
            text += f" and {place}/{trainer.batches.steps_per_epoch} steps"
        if trainer.loss is not None:
            text += f", {run.told_loss()}"
        if run.history:
            text += f", {run.told(run.history[-1])}"
        return text
