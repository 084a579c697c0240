"""The recipe of MemN2N on bAbI, and its published presets."""

from dataclasses import dataclass

from kvnet.hyper_parameter import at_least_one, hyper_parameter, positive
from kvnet.models.memn2n import MemN2N, MemN2NConfig, MemN2NOptions
from kvnet.models.network import Network
from kvnet.training.batches import RandomBatches
from kvnet.training.optimizers.stepped_sgd import SteppedSgd
from kvnet.training.recipes.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class MemN2NRecipe(MemN2NOptions, Recipe):
    """The hyper-parameters of MemN2N and of its training on questions.

    The defaults are the published ones for joint training. ``train_babi.py --help`` describes every
    hyper-parameter.

    Raises
    ------
    InputError
        If one is out of range; the message names it, its value and its range.
    """

    memory_size: int = at_least_one(50, "slots; a longer story keeps its most recent sentences")
    batch_size: int = at_least_one(32, "questions per step, drawn with replacement")
    epochs: int = at_least_one(90, "epochs in total, without and with the softmax")
    learning_rate: float = positive(0.005, "initial learning rate, without and with the softmax")
    linear_start: int = hyper_parameter(
        30, "a whole number from 0", lambda n: n >= 0, "first epochs, without the memory's softmax"
    )
    halving_epochs: int = at_least_one(15, "epochs with the softmax between halvings of the rate")
    max_grad_norm: float = positive(40.0, "clip each matrix's gradient to this spectral norm")
    evaluation_interval: int = at_least_one(10, "epochs from one evaluation to the next")

    def new_model(self, data, random_state: int, backend: str, kernels: str) -> Network:
        """Return an untrained model; see `Recipe.new_model`."""
        sizes = {"vocabulary_size": len(data.vocabulary), **data.sizes._asdict()}
        config = self.config(MemN2NConfig, **sizes, random_state=random_state)
        return MemN2N(config, backend, kernels)

    def new_batches(self, examples: int, random_state: int) -> RandomBatches:
        """Return the batches of every step; see `Recipe.new_batches`."""
        return RandomBatches(examples, self.batch_size, random_state, first=0)

    def new_optimizer(self, model: Network, random_state: int, steps_per_epoch: int) -> SteppedSgd:
        """Return the published optimiser; see `Recipe.new_optimizer`."""
        return SteppedSgd(
            model,
            learning_rate=self.learning_rate,
            max_grad_norm=self.max_grad_norm,
            constant_steps=self.linear_start * steps_per_epoch,
            halving_steps=self.halving_epochs * steps_per_epoch,
        )

    def set_mode(self, model: Network, epoch: int) -> None:
        """Use the softmax after the first `linear_start` epochs."""
        model.with_softmax = epoch >= self.linear_start


MEMN2N_PRESETS = {
    "memn2n-joint": MemN2NRecipe(),
    "memn2n-single": MemN2NRecipe(
        linear_start=20, halving_epochs=25, epochs=120, embedding_size=20
    ),
}
"""The published hyper-parameters: for one model of all tasks, and for one model per task."""
