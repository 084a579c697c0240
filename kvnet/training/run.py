"""A training from its first step to its result: evaluations, early stopping, checkpoints."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy

from kvnet.backend import is_out_of_memory
from kvnet.errors import InputError, setting, shown
from kvnet.files.checkpoint import named, read_arrays, read_metadata, write_arrays
from kvnet.free_memory import check_memory
from kvnet.models.network import checked, kind_of
from kvnet.parameter_vector import by_name
from kvnet.training.fused_steps import steps_for
from kvnet.training.pace import Pace
from kvnet.training.recipes.recipe import Recipe
from kvnet.training.trainer import Trainer
from kvnet.updates.as_vector import as_vector


class Record(msgspec.Struct):
    """An evaluation as a checkpoint stores it; a subclass has what its run measures."""

    random_state: int
    start: int
    epoch: Annotated[int, msgspec.Meta(ge=1)]
    step: Annotated[int, msgspec.Meta(ge=1)]
    loss: float
    learning_rate: float


class RunMetadata(msgspec.Struct):
    """The metadata of a checkpoint, besides those of the model and of the trainer."""

    random_state: int
    start: int
    data: list[str]
    recipe: dict[str, Any]


class Run(ABC):
    """Train one model on one set of data, from one start.

    A subclass says what the training data are and what is measured: `Record` has its measures.

    Parameters
    ----------
    data : TaskData or TextData
    recipe : Recipe
    random_state : int
        Seed of the run, 0 to 2**32 - 1.
    start : int, default=0
        Index of the start: each has its own initial weights, batch order and noise.
    backend : {"numpy", "cupy", "auto"}, default="numpy"
    kernels : {"reference", "fused", "auto"}, default="auto"
    checkpoint : Path, optional
        File to keep the state in.

    Attributes
    ----------
    model : Network
    trainer : Trainer
    history : list of dict
        One record per evaluation, ready for JSON.
    unit : str
        What a batch consists of, in the plural, for messages.
    """

    unit: ClassVar[str]
    Record: ClassVar[type[Record]]

    def __init__(
        self,
        data,
        recipe: Recipe,
        random_state: int,
        start: int = 0,
        backend: str = "numpy",
        kernels: str = "auto",
        checkpoint: Path | None = None,
    ):
        seed = random_state + (start << 32)
        self.data, self.recipe, self.checkpoint = data, recipe, checkpoint
        self.random_state, self.start = random_state, start
        self.model = recipe.new_model(data, seed, backend, kernels)
        self._check_memory()
        self.trainer = Trainer(self.model, self._training_data(), recipe, seed)
        self.history = []
        self._best_params = None

    def _check_memory(self):
        """Refuse a batch whose slots, attention and scores exceed the memory."""
        if self.model.xp is not numpy:
            return
        c, B = self.model.config, self.recipe.batch_size
        numbers = B * (c.memory_size + c.hops * (c.memory_size + c.embedding_size))
        size = self.recipe.setting("batch_size", B)
        remedy = f"use a smaller {self.recipe.setting('batch_size')}"
        check_memory(numpy.dtype(c.dtype).itemsize * numbers, f"a step with {size}", remedy)

    @abstractmethod
    def _training_data(self):
        """Return the Dataset or Text that is trained on."""

    @abstractmethod
    def _fingerprints(self) -> list[str]:
        """Return what distinguishes these data from others."""

    @abstractmethod
    def _measure(self) -> dict:
        """Return the measures of an evaluation, by name."""

    @abstractmethod
    def score(self, record: dict) -> float:
        """Return the number by which the best evaluation, or the best start, is chosen."""

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or early stopping or the optimiser has ended the run."""
        patience = self.recipe.early_stopping
        if patience and self.history and len(self.history) - 1 - self._best >= patience:
            return True
        return self.trainer.optimizer.ended or self.trainer.step >= self.trainer.steps

    @property
    def result(self) -> dict:
        """The record of the kept weights: the last one, or with early stopping the best one."""
        return self.history[self._best if self.recipe.early_stopping else -1]

    @property
    def _best(self):
        return max(
            range(len(self.history)),
            key=lambda i: (self.score(self.history[i]), -i),  # the first of those with equal scores
        )

    @property
    def steps_to_pause(self) -> int:
        """The number of steps to the next end of an epoch at which something is due."""
        trainer, interval = self.trainer, self.recipe.evaluation_interval
        pause = trainer.epoch + 1
        if self.checkpoint is None:  # otherwise every epoch is saved
            pause = (trainer.epoch // interval + 1) * interval
        return min(pause, self.recipe.epochs) * trainer.batches.steps_per_epoch - trainer.step

    def end_epoch(self) -> None:
        """Evaluate if it is due, and save. Called after the last step of an epoch."""
        trainer = self.trainer
        last = trainer.step >= trainer.steps
        if last or trainer.epoch % self.recipe.evaluation_interval == 0:
            self._evaluate()
        self.save()

    def end(self) -> None:
        """Load the weights to keep into the model. Called once, after the last step."""
        if self.recipe.early_stopping:
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
        trainer.optimizer.after_evaluation(self.history)
        if self.recipe.early_stopping and self._best == len(self.history) - 1:
            self._best_params = by_name(self.model.theta.copy(), self.model.shapes)

    def save(self) -> None:
        """Write the checkpoint, if the run has one.

        Raises
        ------
        InputError
            If it cannot be written; the previous one is kept.
        """
        if self.checkpoint is not None:
            write_arrays(self.checkpoint, *self._content())

    def _content(self):
        """Return the arrays and the metadata of a checkpoint."""
        arrays, metadata = self.trainer.state()
        if self._best_params:
            arrays |= named(self._best_params, "best/")
            metadata["weights"] = "best"
        elif self.trainer.optimizer.average is not None:
            metadata["weights"] = "average"
        metadata |= self._identity()
        metadata |= {"vocabulary": self.data.vocabulary.words, "history": self.history}
        metadata["spelling"] = self.data.vocabulary.spelling
        return arrays, metadata

    def _identity(self):
        return {
            "random_state": self.random_state,
            "start": self.start,
            "data": self._fingerprints(),
        }

    def resume(self) -> None:
        """Restore the state of the checkpoint, if there is one.

        Raises
        ------
        InputError
            If the checkpoint cannot be read, or is of other data, another seed or another recipe;
            only `epochs` may differ.
        """
        path = self.checkpoint
        if path is None or not path.exists():
            return
        arrays, metadata = read_arrays(path)
        self._check_same(path, metadata)
        self.trainer.restore(path, arrays, metadata)
        history = msgspec.defstruct("History", [("history", list[self.Record])])
        evaluated = [record.epoch for record in read_metadata(path, metadata, history).history]
        trainer, interval = self.trainer, self.recipe.evaluation_interval
        if trainer.step > trainer.steps:
            raise InputError(
                f"{path}: has done {trainer.epoch} epochs, more than "
                f"{self.recipe.setting('epochs', self.recipe.epochs)}; give at least as many, or "
                "another folder"
            )
        due = set(range(interval, trainer.epoch + 1, interval))
        in_order = evaluated == sorted(set(evaluated))
        if not in_order or not due <= set(evaluated) or max(evaluated, default=0) > trainer.epoch:
            raise InputError(
                f"{path}: its history is not that of {trainer.epoch} epochs; the file is damaged, "
                "give another folder"
            )
        self.history = metadata["history"]
        trainer.optimizer.after_evaluation(self.history)
        if self.recipe.early_stopping and self.history:
            shapes, dtype = self.model.shapes, self.model.config.dtype
            best = checked(path, arrays, "best/", shapes, dtype)
            self._best_params = {name: self.model.xp.asarray(a) for name, a in best.items()}
        if trainer.step == trainer.steps and trainer.epoch not in evaluated:
            self._evaluate()  # it was stopped there on the way to more epochs

    def _check_same(self, path, metadata):
        kind, own_kind = kind_of(path, metadata), type(self.model).__name__
        if kind != own_kind:
            raise InputError(f"{path}: is a file of {kind}, not of {own_kind}; give another folder")
        known = read_metadata(path, metadata, RunMetadata)
        ours, theirs = asdict(self.recipe), known.recipe
        if set(ours) != set(theirs):
            names = ", ".join(sorted(set(ours) ^ set(theirs)))
            raise InputError(
                f"{path}: its recipe lacks or adds {names}; it is of another version, give another "
                "folder"
            )
        ours = ours | self._identity()
        theirs = theirs | {name: getattr(known, name) for name in self._identity()}
        for name, value in ours.items():
            if name == "epochs" or theirs[name] == value:
                continue
            if name == "data":
                raise InputError(
                    f"{path}: was trained on other data or tasks; give the same, or another folder"
                )
            name_in = self.recipe.setting if hasattr(self.recipe, name) else setting
            raise InputError(
                f"{path}: was trained with {name_in(name, theirs[name])}, not {shown(value)}; give "
                "the same, or another folder"
            )


def train_runs(
    runs: Sequence[Run], on_steps: Callable[[int], None], stop_requested: Callable[[], bool]
) -> bool:
    """Train runs side by side until all are finished, or until a stop is requested.

    The state is saved at the end of every epoch and at a stop, where a run has a checkpoint.

    Parameters
    ----------
    runs : sequence of Run
    on_steps : callable
        Called every few steps with their number, summed over the runs.
    stop_requested : callable
        Called as often; returns whether to stop.

    Returns
    -------
    finished : bool

    Raises
    ------
    MemoryError
        With the sizes of the model and of its batches.
    """
    try:
        return _train_runs(runs, on_steps, stop_requested)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        reason = str(error).rstrip(".") or "allocation failed"
        raise MemoryError(f"{reason}; {_sizes(runs[0])}") from error


def _sizes(run):
    """Describe the sizes that a training's memory depends on."""
    sizes = asdict(run.model.config) | {"batch_size": run.recipe.batch_size}
    names = [name for name in sizes if name.endswith("_size")]
    return ", ".join(f"{name}={sizes[name]}" for name in names)


def _train_runs(runs, on_steps, stop_requested):
    pace, steps, unfinished = Pace(), None, []
    while remaining := [run for run in runs if not run.finished]:
        if remaining != unfinished:  # a run has ended
            unfinished, steps = remaining, steps_for([run.trainer for run in remaining])
        count = min(pace.steps, *(run.steps_to_pause for run in remaining))
        with pace.timed(count):
            steps.train(count)
        for run in remaining:
            if run.trainer.at_epoch_end:
                run.end_epoch()
        on_steps(count * len(remaining))
        if stop_requested() and not all(run.finished for run in remaining):
            for run in remaining:
                run.save()
            return False
    for run in runs:
        run.end()
    return True
