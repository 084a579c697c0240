"""Training steps that one kernel computes completely, and the choice of the form of steps.

These kernels are for the bow reader of the Key-Value Memory Network with its published optimiser.
All other trainings use the textbook steps, whose operations and updates may still be fused.
"""

from collections.abc import Sequence

import numpy

from kvnet.errors import setting
from kvnet.kernels import whole_kernel
from kvnet.training.bow import bow_model, is_bow, questions_of
from kvnet.training.optimizers.noisy_adam import NoisyAdam
from kvnet.training.steps import Steps
from kvnet.training.trainer import Trainer
from kvnet.updates.noisy_adam import corrected_rate


def steps_for(trainers: Sequence[Trainer]) -> Steps:
    """Return the fastest form of steps that some trainers can use.

    Parameters
    ----------
    trainers : sequence of Trainer
        On one array module and with one choice of kernels.

    Returns
    -------
    steps : Steps
    """
    model = trainers[0].model
    kernel = whole_kernel("bow_steps", model.kernels, model.xp)
    if kernel is None or why_not_fused(trainers):
        return Steps(trainers)
    return (FusedSteps if model.xp is numpy else GraphSteps)(trainers, kernel)


def why_not_fused(trainers: Sequence[Trainer]) -> str | None:
    """Return the reason why no kernel takes complete steps of some trainers, or None if one does.

    Parameters
    ----------
    trainers : sequence of Trainer
        On one array module.

    Returns
    -------
    reason : str or None
        One line; None also for ``kernels="reference"``, which asks for no kernel.
    """
    first = trainers[0]
    model, optimizer = first.model, first.optimizer
    kernel = whole_kernel("bow_steps", model.kernels, model.xp)
    if kernel is None:
        return None
    each = "each step runs one operation after another"
    if not (is_bow(model) and type(optimizer) is NoisyAdam):
        reader = getattr(model.config, "reader", None)
        name = type(model).__name__ + (f" with {setting('reader', reader)}" if reader else "")
        kind = type(optimizer).__name__
        return f"whole training steps have no fused form for {name} and {kind}: {each}"
    if model.xp is not numpy and not GraphSteps.serves(trainers, kernel):
        return f"the memory of a GPU's thread blocks cannot hold a question of these sizes: {each}"
    return None


class FusedSteps(Steps):
    """Steps on NumPy: all steps of a trainer in one call of a compiled kernel."""

    def __init__(self, trainers: Sequence[Trainer], kernel):
        super().__init__(trainers)
        self._kernel = kernel

    def _take_of(self, trainer, count):
        optimizer, first = trainer.optimizer, trainer.step
        return self._kernel.take_steps(
            bow_model(trainer.model),
            optimizer.m,
            optimizer.v,
            questions_of(trainer.dataset),
            trainer.batches.next_rows(first, count),
            first,
            corrected_rates(trainer, first, count),
            optimizer.rule,
        )


def corrected_rates(trainer: Trainer, first: int, count: int) -> list[float]:
    """Return the bias-corrected learning rates of `count` steps from `first` on."""
    rate_at = trainer.optimizer.learning_rate_at
    return [corrected_rate(rate_at(step), step) for step in range(first, first + count)]


class GraphSteps(Steps):
    """Steps on a GPU: a graph of kernels for one step of all trainers, recorded once, replayed."""

    def __init__(self, trainers: Sequence[Trainer], kernel):
        super().__init__(trainers)
        self._kernel, self._graph = kernel, None

    @staticmethod
    def serves(trainers: Sequence[Trainer], kernel) -> bool:
        """Return whether a question fits the kernels, and the trainers differ in seeds only."""
        first = trainers[0]
        return kernel.serves(bow_model(first.model), first.recipe.batch_size) and all(
            trainer.dataset is first.dataset and trainer.recipe == first.recipe
            for trainer in trainers
        )

    def _take(self, count):
        room = self.trainers[0].batches.steps_per_epoch
        parts = [self._replay(n, min(room, count - n)) for n in range(0, count, room)]
        return list(numpy.concatenate(parts, axis=1))

    def _replay(self, done, count):
        """Take `count` steps after the first `done` ones; return their losses, (N, count)."""
        first_steps = [trainer.step + done for trainer in self.trainers]
        pairs = list(zip(self.trainers, first_steps, strict=True))
        rows = numpy.stack([t.batches.next_rows(first, count) for t, first in pairs])
        order = self._load(rows)
        rates = numpy.array([corrected_rates(t, first, count) for t, first in pairs])
        return self._graph.take(order, numpy.array(first_steps), rates)

    def _load(self, rows):
        """Give the graph the batches of some steps; return each step's record, (N, count).

        Parameters
        ----------
        rows : (N, count, B) integer array
        """
        first, (N, count, B) = self.trainers[0], rows.shape
        if first.batches.recurring:  # consecutive questions, the same for all trainers
            if self._graph is None:
                all_rows = numpy.arange(first.batches.steps_per_epoch * B).reshape(-1, B)
                self._pack(all_rows, len(all_rows))
            return rows[:, :, 0] // B
        self._pack(rows.reshape(-1, B), N * first.batches.steps_per_epoch)
        return numpy.arange(N * count).reshape(N, count)

    def _pack(self, rows, room):
        """Pack batches; record a new graph if they do not fit the present one."""
        first = self.trainers[0]
        xp, V = first.model.xp, len(first.model.params["W"])
        known = self._graph.layout.U if self._graph else 0
        questions = questions_of(first.dataset)
        layout, records = self._kernel.pack(xp, questions, xp.asarray(rows), V, known)
        if self._graph is None or layout != self._graph.layout:
            self._graph = self._kernel.StepGraph(
                [bow_model(trainer.model) for trainer in self.trainers],
                [(trainer.optimizer.m, trainer.optimizer.v) for trainer in self.trainers],
                [trainer.optimizer.rule for trainer in self.trainers],
                layout,
                batches=room,
                capacity=first.batches.steps_per_epoch,
            )
        self._graph.use(records)
