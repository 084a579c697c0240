"""The recipe of the language model."""

from dataclasses import dataclass

from kvnet.hyper_parameter import at_least_one, hyper_parameter, one_of, positive
from kvnet.models.memn2n_language_model import (
    LanguageModelConfig,
    LanguageModelOptions,
    MemN2NLanguageModel,
)
from kvnet.models.network import Network
from kvnet.training.batches import RandomBatches
from kvnet.training.optimizers.annealed_sgd import (
    AnnealedAdagrad,
    AnnealedOptimizer,
    AnnealedSgd,
)
from kvnet.training.recipes.recipe import Recipe
from kvnet.updates.sgd import CLIPS

OPTIMIZERS = {"sgd": AnnealedSgd, "adagrad": AnnealedAdagrad}


@dataclass(frozen=True, kw_only=True)
class LanguageModelRecipe(LanguageModelOptions, Recipe):
    """The hyper-parameters of the language model and of its training.

    The defaults are the published ones. ``train_lm.py --help`` describes every hyper-parameter;
    some have their published names there: ``edim, lindim, nhop, mem_size, nepoch, init_lr,
    init_hid``.

    Raises
    ------
    InputError
        If one is out of range; the message names it, its value and its range.
    """

    batch_size: int = at_least_one(128, "targets per step")
    epochs: int = at_least_one(100, "largest number of passes over the text", flag="nepoch")
    learning_rate: float = positive(0.01, "initial learning rate", flag="init_lr")
    optimizer: str = one_of(
        "sgd", tuple(OPTIMIZERS), "gradient descent, as published, or Adagrad: try --init-lr 0.1"
    )
    averaging: float = hyper_parameter(
        0.0,
        "a number from 0",
        lambda x: 0 <= x < float("inf"),
        "epochs over which weights are averaged; 0 uses the last weights, as published",
    )
    max_grad_norm: float = positive(50.0, "clip the gradient to this norm")
    clip: str = one_of(
        "global",
        CLIPS,
        "clip the norm over all parameters, as the Torch code, or of each, as the TensorFlow code",
    )

    def new_model(self, data, random_state: int, backend: str, kernels: str) -> Network:
        """Return an untrained model; see `Recipe.new_model`."""
        config = self.config(
            LanguageModelConfig, vocabulary_size=len(data.vocabulary), random_state=random_state
        )
        return MemN2NLanguageModel(config, backend, kernels)

    def new_batches(self, examples: int, random_state: int) -> RandomBatches:
        """Return the targets of every step; see `Recipe.new_batches`."""
        return RandomBatches(examples, self.batch_size, random_state, first=self.memory_size)

    def new_optimizer(
        self, model: Network, random_state: int, steps_per_epoch: int
    ) -> AnnealedOptimizer:
        """Return the optimiser that is asked for; see `Recipe.new_optimizer`."""
        return OPTIMIZERS[self.optimizer](
            model,
            learning_rate=self.learning_rate,
            max_norm=self.max_grad_norm,
            clip=self.clip,
            averaged_steps=self.averaging * steps_per_epoch,
        )
