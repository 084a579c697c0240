"""Every hyper-parameter of a training, its range, and the published presets."""

from dataclasses import dataclass

from kvnet.data.dataset import Sizes
from kvnet.models.key_value_memory_network import READERS, KeyValueMemoryNetwork
from kvnet.training.batches import Batches
from kvnet.training.optimizer import NoisyAdam
from kvnet.training.setting import CheckedSettings, from_one, positive, setting


@dataclass(frozen=True)
class Settings(CheckedSettings):
    """Hyper-parameters of a model and of its training; the defaults are the published joint ones.

    Raises
    ------
    InputError
        If one is out of range; the message names it, its value and what it takes.
    """

    learning_rate: float = positive(0.001, "Adam's learning rate")
    epsilon: float = positive(0.1, "Adam's epsilon")
    l2_lambda: float = setting(
        0.1, "a number from 0", lambda x: 0 <= x < float("inf"), "weight of the L2 penalty"
    )
    max_grad_norm: float = positive(
        20.0, "norm that each parameter's gradient, a question, is clipped to"
    )
    clip_summed_loss: bool = setting(
        False,
        "true or false",
        lambda _: True,
        "clip the gradient of the batch's summed loss at max_grad_norm, not its mean a question",
    )
    keep_prob: float = setting(
        1.0, "a number in (0, 1]", lambda x: 0 < x <= 1, "share that dropout keeps (simple_gru)"
    )
    hops: int = from_one(3, "reads of the memory")
    batch_size: int = from_one(50, "questions a step")
    epochs: int = from_one(200, "passes over the training questions")
    evaluation_interval: int = from_one(20, "epochs from one evaluation to the next")
    embedding_size: int = from_one(40, "components of a word's embedding")
    feature_size: int = from_one(50, "components of the query in the memory")
    memory_size: int = from_one(50, "slots; a longer story keeps its most recent sentences")
    reader: str = setting("bow", " or ".join(READERS), READERS.__contains__, "sentence reader")
    decay_steps: int = from_one(90_000, "steps after which the learning rate is multiplied by 0.96")
    mask_padding: bool = setting(
        False, "true or false", lambda _: True, "leave empty slots out of the softmax"
    )
    shuffle_questions: bool = setting(
        False, "true or false", lambda _: True, "draw new batches every epoch, over all tasks"
    )
    early_stopping: int = setting(
        0,
        "a whole number from 0",
        lambda n: n >= 0,
        "stop after this many evaluations without a better validation accuracy and keep the best "
        "weights; 0 trains to the end",
    )

    @property
    def clip_norm(self) -> float:
        """The norm that the gradient of the batch's summed loss is clipped to."""
        return self.max_grad_norm * (1 if self.clip_summed_loss else self.batch_size)

    def new_model(
        self, vocabulary_size: int, sizes: Sizes, random_state: int, backend: str, kernels: str
    ) -> KeyValueMemoryNetwork:
        """Make an untrained model of these settings.

        Parameters
        ----------
        vocabulary_size : int
        sizes : Sizes
            Of the data; its memory may be smaller than `memory_size`.
        random_state : int
        backend : {"numpy", "cupy", "auto"}
        kernels : {"reference", "fused", "auto"}

        Returns
        -------
        model : KeyValueMemoryNetwork
        """
        return KeyValueMemoryNetwork(
            vocabulary_size,
            *sizes,
            embedding_size=self.embedding_size,
            feature_size=self.feature_size,
            hops=self.hops,
            reader=self.reader,
            keep_prob=self.keep_prob,
            mask_padding=self.mask_padding,
            backend=backend,
            kernels=kernels,
            random_state=random_state,
        )

    def new_batches(self, questions: int, random_state: int) -> Batches:
        """Say which questions stand in which step."""
        return Batches(questions, self.batch_size, self.shuffle_questions, random_state)

    def new_optimizer(
        self, model: KeyValueMemoryNetwork, random_state: int, steps_per_epoch: int
    ) -> NoisyAdam:
        """Make the update rule."""
        return NoisyAdam(
            model,
            self.learning_rate,
            self.epsilon,
            self.clip_norm,
            self.decay_steps,
            random_state,
        )

    def loss_options(self, step: int, epoch: int) -> dict:
        """Return what the model's loss takes besides the batch."""
        return {"l2_lambda": self.l2_lambda, "step": step}


PRESETS = {
    "kv-joint": Settings(),
    "kv-single": Settings(
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
"""The two columns of the published flags: one model a task, and one for all tasks."""
