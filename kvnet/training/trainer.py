"""The training loop's state: a model, its optimiser and the step it is at."""

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite

import numpy

from kvnet.backend import to_numpy
from kvnet.checkpoint import named
from kvnet.data import distinct
from kvnet.errors import InputError
from kvnet.models.network import Network
from kvnet.parameter_vector import as_vector, by_name


def train_side_by_side(trainers: Sequence["Trainer"], count: int) -> None:
    """Take the next steps of several trainers: where kernels can, in the same launches.

    Parameters
    ----------
    trainers : sequence of Trainer
        On one array module.
    count : int
        How many, by each.

    Raises
    ------
    InputError
        If an epoch's loss is not finite.
    """
    operations = trainers[0].model.operations
    with numpy.errstate(over="ignore", invalid="ignore"):  # the epoch's loss will tell
        losses = operations.take_steps_side_by_side(trainers, count)
    for trainer, of_one in zip(trainers, losses, strict=True):
        trainer.note(of_one)


class Trainer:
    """Train a model on a data set, some steps at a time.

    Parameters
    ----------
    model : Network
        Updated in place.
    dataset : Dataset or Text
        What is trained on: its ``batch(rows)`` is what the model takes.
    settings : Settings or LanguageModelSettings
        It brings the batches and the update rule.
    random_state : int
        Seed of the batches' order and of the gradient noise.

    Attributes
    ----------
    step : int
        Steps done.
    loss : float
        The mean loss of a question, or of a word, over the last whole epoch.
    """

    def __init__(self, model: Network, dataset, settings, random_state: int):
        self.model, self.dataset, self.settings = model, dataset, settings
        self.batches = settings.new_batches(len(dataset), random_state)
        self.optimizer = settings.new_optimizer(model, random_state, self.batches.steps_per_epoch)
        self._packed = {}
        self.step = 0
        self.loss = None
        self._epoch_loss, self._losses = 0.0, []  # on the device until somebody asks

    @property
    def steps(self) -> int:
        """The steps of the whole training."""
        return self.settings.epochs * self.batches.steps_per_epoch

    @property
    def at_epoch_end(self) -> bool:
        """Whether the last step closed an epoch."""
        return self.step % self.batches.steps_per_epoch == 0

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.step // self.batches.steps_per_epoch

    def train(self, count: int) -> None:
        """Take the next steps.

        Parameters
        ----------
        count : int

        Raises
        ------
        InputError
            If an epoch's loss is not finite.
        """
        train_side_by_side([self], count)

    def note(self, losses) -> None:
        """Count steps that were taken, by their losses; raises as `train` does."""
        epoch = self.epoch
        self._losses.append(losses)
        self.step += len(losses)
        if self.epoch > epoch:
            self._count_losses()

    def _count_losses(self):
        """Fetch the losses of the steps since the last call, and sum those of each epoch."""
        last = self.step - sum(map(len, self._losses))
        steps, questions = self.batches.steps_per_epoch, self.settings.batch_size
        for losses in self._losses:
            for loss in to_numpy(losses).tolist():  # one by one: the same sum however they came
                last, self._epoch_loss = last + 1, self._epoch_loss + loss
                if last % steps == 0:
                    self.loss, self._epoch_loss = self._epoch_loss / (steps * questions), 0.0
                    self._check_loss(last // steps)
        self._losses = []

    def _check_loss(self, epoch):
        if not isfinite(self.loss):
            raise InputError(
                f"the loss of epoch {epoch} is {self.loss}: the training diverged; set "
                f"{self.settings.flag('learning_rate')} below {self.settings.learning_rate}"
            )

    def batch(self, step: int):
        """Return a step's batch.

        Where the same questions come together in every epoch, it is packed once. Else a device
        packs some steps' batches together, always the same ones wherever a call begins.
        """
        xp = self.model.xp
        if self.batches.recurring:
            rows = self.batches.rows(step)
            first = int(rows[0])
            if first not in self._packed:
                self._packed[first] = self.dataset.batch(xp.asarray(rows))
            return self._packed[first]
        if xp is numpy:
            return self.dataset.batch(self.batches.rows(step))
        first = step - step % distinct.TOGETHER
        if first not in self._packed:
            rows = self.batches.next_rows(first, distinct.TOGETHER)
            self._packed = {first: self.dataset.batches(xp.asarray(rows))}
        return self._packed[first][step - first]

    def state(self) -> tuple[dict, dict]:
        """Return what a checkpoint must hold: arrays, and metadata for JSON."""
        self._count_losses()
        arrays, metadata = self.model.state()
        for prefix, vector in self.optimizer.means.items():
            arrays |= named(by_name(vector, self.model.shapes), prefix)
        metadata |= {
            "settings": asdict(self.settings),
            "step": self.step,
            "loss": self.loss,
            "epoch_loss": self._epoch_loss,
        }
        return arrays, metadata

    def restore(self, path, arrays: dict, metadata: dict) -> None:
        """Go back to a state.

        Parameters
        ----------
        path : str or Path
            Where it was read from, for messages.
        arrays, metadata
            As `state` returned them.

        Raises
        ------
        InputError
            If it belongs to another model.
        """
        vectors = {"params/": self.model.theta, **self.optimizer.means}
        for prefix, vector in vectors.items():
            vector[:] = as_vector(self.model.xp, self.model.checked(path, arrays, prefix))
        self.step, self.loss = metadata["step"], metadata["loss"]
        self._epoch_loss, self._losses = metadata["epoch_loss"], []
