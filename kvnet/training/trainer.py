"""The state of a training: a model, its optimiser and the number of steps done."""

from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Annotated

import msgspec
import numpy

from kvnet.backend import to_numpy
from kvnet.data.packing import Packing
from kvnet.errors import InputError
from kvnet.files.checkpoint import named, read_metadata
from kvnet.models.network import Network, checked
from kvnet.parameter_vector import by_name
from kvnet.training.batches import VariedBatches
from kvnet.training.recipes.recipe import Recipe
from kvnet.updates.as_vector import as_vector


class TrainerMetadata(msgspec.Struct):
    """The metadata of a training's state; `Trainer` has the attributes."""

    step: Annotated[int, msgspec.Meta(ge=0)]
    loss: float | None
    epoch_loss: float


class Trainer:
    """The state of a training. `kvnet.training.steps.Steps` takes its steps.

    Parameters
    ----------
    model : Network
        Changed in place.
    dataset : Dataset or Text
        The training data.
    recipe : Recipe
        Gives the batches and the optimiser.
    random_state : int
        Seed of the order of the batches and of the gradient noise.

    Attributes
    ----------
    batches : Batches, VariedBatches or RandomBatches
    optimizer : Optimizer
    step : int
        Steps done.
    loss : float or None
        The mean loss per question, or per word, over the last complete epoch.
    """

    def __init__(self, model: Network, dataset, recipe: Recipe, random_state: int):
        self.model, self.dataset, self.recipe = model, dataset, recipe
        questions = len(dataset) // dataset.variants
        self.batches = recipe.new_batches(questions, random_state)
        if dataset.variants > 1:
            self.batches = VariedBatches(self.batches, questions, dataset.variants)
        self.optimizer = recipe.new_optimizer(model, random_state, self.batches.steps_per_epoch)
        self.step, self.loss = 0, None
        self._packing = Packing(dataset, self.batches)
        self._epoch_loss, self._losses = 0.0, []  # losses stay on the device until they are needed

    @property
    def steps(self) -> int:
        """The number of steps of the whole training."""
        return self.recipe.epochs * self.batches.steps_per_epoch

    @property
    def epoch(self) -> int:
        """Complete epochs done."""
        return self.epoch_of(self.step)

    @property
    def at_epoch_end(self) -> bool:
        """Whether the last step was the last of an epoch."""
        return self.step % self.batches.steps_per_epoch == 0

    def batch(self, step: int):
        """Return the batch of a step."""
        return self._packing.batch(step)

    def set_mode(self, step: int) -> None:
        """Set the model's mode for a step."""
        self.recipe.set_mode(self.model, self.epoch_of(step))

    def record(self, losses) -> None:
        """Count steps that were taken.

        Parameters
        ----------
        losses : (n,) float64 array
            The loss of each step, summed over its batch.

        Raises
        ------
        InputError
            If the loss of an epoch is not finite.
        """
        epoch = self.epoch
        self._losses.append(losses)
        self.step += len(losses)
        if self.epoch > epoch:
            self._sum_losses()

    def _sum_losses(self):
        """Fetch the losses recorded since the last call and sum those of each epoch."""
        step = self.step - sum(map(len, self._losses))
        steps, questions = self.batches.steps_per_epoch, self.batches.batch_size
        for losses in self._losses:
            for loss in to_numpy(losses).tolist():  # one at a time, so any grouping sums alike
                step, self._epoch_loss = step + 1, self._epoch_loss + loss
                if step % steps == 0:
                    self.loss, self._epoch_loss = self._epoch_loss / (steps * questions), 0.0
                    self._check_loss(step // steps)
        self._losses = []

    def _check_loss(self, epoch):
        if not isfinite(self.loss):
            raise InputError(
                f"the loss of epoch {epoch} is {self.loss}: the training diverged; "
                f"{self.recipe.remedy_of_divergence()}"
            )

    def state(self) -> tuple[dict, dict]:
        """Return the content of a checkpoint: arrays, and metadata for JSON."""
        self._sum_losses()
        arrays, metadata = self.model.state()
        for prefix, vector in self.optimizer.vectors.items():
            arrays |= named(by_name(vector, self.model.shapes), prefix)
        metadata |= {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "loss": self.loss,
            "epoch_loss": self._epoch_loss,
        }
        return arrays, metadata

    def restore(self, path: str | Path, arrays: dict, metadata: dict) -> None:
        """Restore a state.

        Parameters
        ----------
        path : str or Path
            The file it was read from, for messages.
        arrays, metadata
            As returned by `state`.

        Raises
        ------
        InputError
            If it is of another model.
        """
        model = self.model
        for prefix, vector in {"params/": model.theta, **self.optimizer.vectors}.items():
            of_model = checked(path, arrays, prefix, model.shapes, model.config.dtype)
            vector[:] = model.xp.asarray(as_vector(numpy, of_model))
        model.restore_mode(path, metadata)
        state = read_metadata(path, metadata, TrainerMetadata)
        losses = [state.epoch_loss] if state.loss is None else [state.epoch_loss, state.loss]
        if not all(map(isfinite, losses)) or (state.loss is None) != (
            self.epoch_of(state.step) < 1
        ):
            raise InputError(
                f"{path}: its step {state.step}, loss {state.loss} and epoch_loss "
                f"{state.epoch_loss} do not fit together; give another file"
            )
        self.step, self.loss = state.step, state.loss
        self._epoch_loss, self._losses = state.epoch_loss, []

    def epoch_of(self, step: int) -> int:
        """Return the number of complete epochs after a number of steps."""
        return step // self.batches.steps_per_epoch
