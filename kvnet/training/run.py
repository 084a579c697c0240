"""A training from its first step to its result: evaluations, early stopping, checkpoints."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar

from kvnet.checkpoint import named, read_arrays, write_arrays
from kvnet.errors import InputError
from kvnet.models.network import Network
from kvnet.parameter_vector import as_vector, by_name
from kvnet.training.pace import Pace
from kvnet.training.trainer import Trainer, train_side_by_side


class Run(ABC):
    """Train one model on one set of data from one start.

    What the data are, how a model is made for them and measured on them, a subclass says.

    Parameters
    ----------
    data : TaskData or TextData
    settings : Settings or LanguageModelSettings
    random_state : int
        Seed of the run, 0 to 2**32 - 1.
    start : int
        Number of the start: each has its own weights, batch order and noise, and the same data.
    backend : {"numpy", "cupy", "auto"}
    kernels : {"reference", "fused", "auto"}
    checkpoint : Path, optional
        File to keep the state in.

    Attributes
    ----------
    trainer : Trainer
    history : list of dict
        One record an evaluation, ready for JSON.
    unit : str
        What a batch holds so many of, for messages.
    """

    unit: ClassVar[str]

    def __init__(
        self,
        data,
        settings,
        random_state: int,
        start: int = 0,
        backend: str = "numpy",
        kernels: str = "auto",
        checkpoint: Path | None = None,
    ):
        seed = random_state + (start << 32)
        self.data, self.settings = data, settings
        self.random_state, self.start = random_state, start
        self.checkpoint = checkpoint
        self.model = self._new_model(seed, backend, kernels)
        self.trainer = Trainer(self.model, self._training_data(), settings, seed)
        self.history = []
        self._best_params = None

    @abstractmethod
    def _new_model(self, seed: int, backend: str, kernels: str) -> Network:
        """Make the untrained model."""

    @abstractmethod
    def _training_data(self):
        """Return what the trainer takes its batches from."""

    @abstractmethod
    def _fingerprints(self) -> list[str]:
        """Return what tells these data from others."""

    @abstractmethod
    def _measure(self) -> dict:
        """Return what is measured of the model after an epoch."""

    @abstractmethod
    def score(self, record: dict) -> float:
        """Return the number by which the best evaluation, or start, is chosen."""

    @abstractmethod
    def told(self, record: dict) -> str:
        """Say in a few words how an evaluation came out."""

    @abstractmethod
    def told_loss(self) -> str:
        """Say in a few words how the last epoch of the training came out."""

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or early stopping or the optimiser has ended the run."""
        patience = self.settings.early_stopping
        if patience and self.history and len(self.history) - 1 - self._best >= patience:
            return True
        return self.trainer.optimizer.ended or self.trainer.step >= self.trainer.steps

    @property
    def result(self) -> dict:
        """The record that counts: the last one, or with early stopping the best on validation."""
        return self.history[self._best if self.settings.early_stopping else -1]

    @property
    def _best(self):
        return max(
            range(len(self.history)),
            key=lambda i: (self.score(self.history[i]), -i),  # the first of equals
        )

    def train(self, on_steps: Callable[[int], None], stop_requested: Callable[[], bool]) -> bool:
        """Train until finished or stopped; the state is saved at every epoch's end and on a stop.

        Parameters
        ----------
        on_steps : callable
            Called after every few steps with their number.
        stop_requested : callable
            Asked as often.

        Returns
        -------
        finished : bool
        """
        return train_runs([self], on_steps, stop_requested)

    @property
    def steps_to_pause(self) -> int:
        """Steps up to the next epoch's end after which there is something to do."""
        trainer, interval = self.trainer, self.settings.evaluation_interval
        pause = trainer.epoch + 1
        if self.checkpoint is None:  # else every epoch is saved
            pause = (trainer.epoch // interval + 1) * interval
        return min(pause, self.settings.epochs) * trainer.batches.steps_per_epoch - trainer.step

    def end_epoch(self) -> None:
        """After an epoch's last step, evaluate if it is time to, and save."""
        trainer = self.trainer
        last = trainer.step >= trainer.steps
        if last or trainer.epoch % self.settings.evaluation_interval == 0:
            self._evaluate()
        self.save()

    def end(self) -> None:
        """After the last step, go back to the best weights if the settings say so."""
        if self.settings.early_stopping:
            self.model.theta[:] = as_vector(self.model.xp, self._best_params)

    def _evaluate(self):
        trainer = self.trainer
        record = {
            "random_state": self.random_state,
            "start": self.start,
            "epoch": trainer.epoch,
            "step": trainer.step,
            "loss": trainer.loss,
            "learning_rate": trainer.optimizer.learning_rate_at(trainer.step),
            **self._measure(),
        }
        self.history.append(record)
        trainer.optimizer.heed(self.history)
        if self.settings.early_stopping and self._best == len(self.history) - 1:
            self._best_params = by_name(self.model.theta.copy(), self.model.shapes)

    def save(self) -> None:
        """Write the checkpoint, if the run keeps one.

        Raises
        ------
        InputError
            If it cannot be written; the one before stays.
        """
        if self.checkpoint is None:
            return
        arrays, metadata = self.trainer.state()
        if self._best_params:
            arrays |= named(self._best_params, "best/")
        write_arrays(
            self.checkpoint,
            arrays,
            metadata
            | self._identity()
            | {"vocabulary": self.data.vocabulary.words, "history": self.history},
        )

    def _identity(self):
        return {
            "random_state": self.random_state,
            "start": self.start,
            "data": self._fingerprints(),
        }

    def resume(self) -> None:
        """Go back to the checkpoint's state, if there is one.

        Raises
        ------
        InputError
            If the checkpoint cannot be read, or is of other data, another seed or other settings;
            only `epochs` may differ.
        """
        path = self.checkpoint
        if path is None or not path.exists():
            return
        arrays, metadata = read_arrays(path)
        try:
            self._check_same(path, metadata)
            self.trainer.restore(path, arrays, metadata)
            self.history = metadata["history"]
            self.trainer.optimizer.heed(self.history)
            evaluated = [record["epoch"] for record in self.history]
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{path}: lacks {error}; it is no training checkpoint, give one that a training "
                "wrote"
            ) from None
        if self.trainer.step > self.trainer.steps or max(evaluated, default=0) > self.trainer.epoch:
            raise InputError(
                f"{path}: has done {self.trainer.epoch} epochs, more than "
                f"{self.settings.flag('epochs')}={self.settings.epochs}; give at least as many, or "
                "another folder"
            )
        if self.settings.early_stopping and self.history:
            self._best_params = self.model.checked(path, arrays, "best/")

    def _check_same(self, path, metadata):
        ours = asdict(self.settings) | self._identity()
        theirs = metadata["settings"] | {name: metadata[name] for name in self._identity()}
        for name, value in ours.items():
            if name == self.settings.flag("epochs") or theirs[name] == value:
                continue
            if name == "data":
                raise InputError(
                    f"{path}: was trained on other data or tasks; give the same, or another folder"
                )
            raise InputError(
                f"{path}: was trained with {name}={theirs[name]!r}, not {value!r}; give the same, "
                "or another folder"
            )


def train_runs(
    runs: Sequence[Run], on_steps: Callable[[int], None], stop_requested: Callable[[], bool]
) -> bool:
    """Train runs side by side until all are finished or stopped; see `Run.train`.

    Parameters
    ----------
    runs : sequence of Run
    on_steps : callable
        Called after every few steps with their number, over all runs.
    stop_requested : callable
        Asked as often.

    Returns
    -------
    finished : bool
    """
    pace = Pace()
    while left := [run for run in runs if not run.finished]:
        taken = min(pace.steps, *(run.steps_to_pause for run in left))
        with pace.timed(taken):
            train_side_by_side([run.trainer for run in left], taken)
        for run in left:
            if run.trainer.at_epoch_end:
                run.end_epoch()
        on_steps(taken * len(left))
        if stop_requested() and not all(run.finished for run in left):
            for run in left:
                run.save()
            return False
    for run in runs:
        run.end()
    return True
