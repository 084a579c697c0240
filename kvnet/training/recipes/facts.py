"""The recipes of the models that answer from a knowledge base, and their presets."""

from abc import abstractmethod
from dataclasses import dataclass

from kvnet.hyper_parameter import at_least_one, hyper_parameter, positive
from kvnet.models.fact_chain_network import (
    FactChainConfig,
    FactChainNetwork,
    FactChainOptions,
)
from kvnet.models.fact_memory_network import (
    FactMemoryConfig,
    FactMemoryNetwork,
    FactMemoryOptions,
)
from kvnet.models.network import Network
from kvnet.training.batches import Batches
from kvnet.training.optimizers.adam import Adam
from kvnet.training.recipes.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class FactRecipe(Recipe):
    """The hyper-parameters of training on questions about a knowledge base.

    ``train_kb.py --help`` describes every hyper-parameter.

    Raises
    ------
    InputError
        If one is out of range; the message names it, its value and its range.
    """

    batch_size: int = at_least_one(64, "questions per step")
    epochs: int = at_least_one(3, "passes over the training questions")
    learning_rate: float = positive(0.001, "Adam's learning rate, which falls linearly to zero")
    epsilon: float = positive(1e-8, "Adam's epsilon")
    max_grad_norm: float = positive(
        1.0, "clip the gradient of the batch's mean loss to this norm, over all parameters"
    )
    evaluation_interval: int = at_least_one(1, "epochs from one evaluation to the next")
    early_stopping: int = hyper_parameter(
        0,
        "a whole number from 0",
        lambda n: n >= 0,
        "stop after this many evaluations without a better validation score and keep the best "
        "weights; 0 trains all epochs",
    )

    @abstractmethod
    def new_model(self, data, random_state: int, backend: str, kernels: str) -> Network:
        """Return an untrained model; see `Recipe.new_model`."""

    def new_batches(self, examples: int, random_state: int) -> Batches:
        """Return the batches of every step; see `Recipe.new_batches`."""
        batch_size = min(self.batch_size, examples)  # a base of one's own may have few questions
        return Batches(examples, batch_size, True, random_state)

    def new_optimizer(self, model: Network, random_state: int, steps_per_epoch: int) -> Adam:
        """Return the optimiser; see `Recipe.new_optimizer`."""
        return Adam(
            model,
            learning_rate=self.learning_rate,
            steps=self.epochs * steps_per_epoch,
            epsilon=self.epsilon,
            # The loss is summed over the batch.
            max_norm=self.max_grad_norm * self.batch_size,
        )


@dataclass(frozen=True, kw_only=True)
class FactChainRecipe(FactChainOptions, FactRecipe):
    """The hyper-parameters of a `FactChainNetwork` and of its training; see `FactRecipe`."""

    def new_model(self, data, random_state: int, backend: str, kernels: str) -> Network:
        """Return an untrained model; see `Recipe.new_model`."""
        sizes = {
            "vocabulary_size": len(data.vocabulary),
            "relations": 2 * len(data.base.relations),
        }
        config = self.config(FactChainConfig, **sizes, random_state=random_state)
        return FactChainNetwork(config, backend, kernels)


@dataclass(frozen=True, kw_only=True)
class FactMemoryRecipe(FactMemoryOptions, FactRecipe):
    """The hyper-parameters of a `FactMemoryNetwork` and of its training; see `FactRecipe`."""

    def new_model(self, data, random_state: int, backend: str, kernels: str) -> Network:
        """Return an untrained model; see `Recipe.new_model`."""
        sizes = {
            "vocabulary_size": len(data.vocabulary),
            "relations": 2 * len(data.base.relations),
            "entities": len(data.base.entities),
        }
        config = self.config(FactMemoryConfig, **sizes, random_state=random_state)
        return FactMemoryNetwork(config, backend, kernels)


FACT_RECIPES = {FactChainNetwork: FactChainRecipe, FactMemoryNetwork: FactMemoryRecipe}
DEFAULT_FACT_PRESET = "kv-chain"
FACT_PRESETS = {
    DEFAULT_FACT_PRESET: FactChainRecipe(),
    "kv-published": FactMemoryRecipe(batch_size=32, learning_rate=0.003),
}
