"""The recipe of the Key-Value Memory Network, and its published presets."""

from dataclasses import dataclass

from kvnet.hyper_parameter import at_least_one, hyper_parameter, positive, true_or_false
from kvnet.models.key_value_memory_network import (
    KeyValueConfig,
    KeyValueMemoryNetwork,
    KeyValueOptions,
)
from kvnet.models.network import Network
from kvnet.training.batches import Batches
from kvnet.training.optimizers.noisy_adam import NoisyAdam
from kvnet.training.recipes.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class KeyValueRecipe(KeyValueOptions, Recipe):
    """The hyper-parameters of a Key-Value Memory Network and of its training.

    The defaults are the published ones for joint training. ``train_babi.py --help`` describes every
    hyper-parameter.

    Raises
    ------
    InputError
        If one is out of range; the message names it, its value and its range.
    """

    memory_size: int = at_least_one(50, "slots; a longer story keeps its most recent sentences")
    batch_size: int = at_least_one(50, "questions per step")
    epochs: int = at_least_one(200, "passes over the training questions")
    learning_rate: float = positive(0.001, "Adam's learning rate")
    epsilon: float = positive(0.1, "Adam's epsilon")
    decay_steps: int = at_least_one(90_000, "steps between multiplications of the rate by 0.96")
    l2_lambda: float = hyper_parameter(
        0.1, "a number from 0", lambda x: 0 <= x < float("inf"), "weight of the L2 penalty"
    )
    max_grad_norm: float = positive(
        20.0, "clip each parameter's gradient to this norm, per question of the batch"
    )
    clip_summed_loss: bool = true_or_false(
        False, "clip the gradient of the batch's summed loss to max_grad_norm instead"
    )
    shuffle_questions: bool = true_or_false(
        False, "draw new batches every epoch, over all tasks, instead of fixed ones"
    )
    evaluation_interval: int = at_least_one(20, "epochs from one evaluation to the next")
    early_stopping: int = hyper_parameter(
        0,
        "a whole number from 0",
        lambda n: n >= 0,
        "stop after this many evaluations without a better validation accuracy and keep the best "
        "weights; 0 trains all epochs",
    )

    def new_model(self, data, random_state: int, backend: str, kernels: str) -> Network:
        """Return an untrained model; see `Recipe.new_model`."""
        sizes = {"vocabulary_size": len(data.vocabulary), **data.sizes._asdict()}
        config = self.config(KeyValueConfig, **sizes, random_state=random_state)
        return KeyValueMemoryNetwork(config, backend, kernels)

    def new_batches(self, examples: int, random_state: int) -> Batches:
        """Return the batches of every step; see `Recipe.new_batches`."""
        return Batches(examples, self.batch_size, self.shuffle_questions, random_state)

    def new_optimizer(self, model: Network, random_state: int, steps_per_epoch: int) -> NoisyAdam:
        """Return the published optimiser; see `Recipe.new_optimizer`."""
        return NoisyAdam(
            model,
            learning_rate=self.learning_rate,
            decay_steps=self.decay_steps,
            l2_lambda=self.l2_lambda,
            # The loss is summed over the batch, so a bound per question is multiplied by its size.
            clip_norm=self.max_grad_norm * (1 if self.clip_summed_loss else self.batch_size),
            epsilon=self.epsilon,
            random_state=random_state,
        )


KEY_VALUE_PRESETS = {
    "kv-joint": KeyValueRecipe(),
    "kv-single": KeyValueRecipe(
        l2_lambda=0.2,
        batch_size=32,
        epochs=100,
        evaluation_interval=50,
        embedding_size=30,
        feature_size=40,
        memory_size=20,
        decay_steps=20_000,
    ),
}
"""The published hyper-parameters: for one model of all tasks, and for one model per task."""
