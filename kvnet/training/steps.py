"""Training steps of several trainers: the textbook form, and the contract of the fused ones."""

from collections.abc import Sequence

import numpy

from kvnet.training.trainer import Trainer


class Steps:
    """Take training steps of several trainers, one trainer after another.

    A fused form overrides `_take` and nothing else.

    Parameters
    ----------
    trainers : sequence of Trainer
        On one array module.
    """

    def __init__(self, trainers: Sequence[Trainer]):
        self.trainers = list(trainers)

    def train(self, count: int) -> None:
        """Take the next steps of every trainer and record their losses.

        Parameters
        ----------
        count : int
            Steps per trainer.

        Raises
        ------
        InputError
            If the loss of an epoch is not finite.
        """
        with numpy.errstate(over="ignore", invalid="ignore"):  # the loss of the epoch is checked
            losses = self._take(count)
        for trainer, of_trainer in zip(self.trainers, losses, strict=True):
            trainer.record(of_trainer)

    def _take(self, count: int) -> list:
        """Return the losses of the next steps, a (count,) float64 array per trainer.

        A step's loss is summed over its batch and includes the penalty of the update.
        """
        return [self._take_of(trainer, count) for trainer in self.trainers]

    def _take_of(self, trainer, count):
        losses = []
        for step in range(trainer.step, trainer.step + count):
            trainer.set_mode(step)
            loss, gradients = trainer.model.loss_and_gradient(trainer.batch(step), step)
            penalty = trainer.optimizer.update(gradients, step)
            losses.append((loss + penalty).astype("float64"))
        return trainer.model.xp.stack(losses)
