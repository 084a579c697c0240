"""The hyper-parameters of MemN2N on bAbI, and their published values."""

from dataclasses import asdict, dataclass
from typing import ClassVar

from kvnet.data.dataset import Sizes
from kvnet.models.memn2n import ENCODINGS, TYINGS, MemN2N
from kvnet.training.batches import RandomBatches
from kvnet.training.setting import CheckedSettings, from_one, positive, setting
from kvnet.training.stepped_sgd import SteppedSgd

OF_THE_MODEL = ("embedding_size", "hops", "tying", "encoding", "time_noise", "init_std")


@dataclass(frozen=True)
class MemN2NSettings(CheckedSettings):
    """Hyper-parameters of MemN2N and of its training; the defaults are the published joint ones.

    Raises
    ------
    InputError
        If one is out of range; the message names it, its value and what it takes.
    """

    learning_rate: float = positive(0.005, "learning rate, before and after the softmax comes in")
    linear_start: int = setting(
        30, "a whole number from 0", lambda n: n >= 0, "epochs without the memory's softmax"
    )
    halving_epochs: int = from_one(15, "epochs with it after which the rate is halved")
    epochs: int = from_one(90, "epochs in all, without and with it")
    max_grad_norm: float = positive(40.0, "spectral norm that each matrix's gradient is clipped to")
    batch_size: int = from_one(32, "questions a step, drawn with replacement")
    evaluation_interval: int = from_one(10, "epochs from one evaluation to the next")
    embedding_size: int = from_one(50, "components of an embedding")
    hops: int = from_one(3, "reads of the memory")
    memory_size: int = from_one(50, "slots; a longer story keeps its most recent sentences")
    tying: str = setting("adjacent", " or ".join(TYINGS), TYINGS.__contains__, "shared tables")
    encoding: str = setting(
        "matlab", " or ".join(ENCODINGS), ENCODINGS.__contains__, "what a word's place does to it"
    )
    time_noise: float = setting(
        0.1, "a number from 0 to 1", lambda x: 0 <= x <= 1, "the most blanks, a sentence"
    )
    init_std: float = positive(0.1, "deviation of the starting weights")

    early_stopping: ClassVar[int] = 0

    def new_model(
        self, vocabulary_size: int, sizes: Sizes, random_state: int, backend: str, kernels: str
    ) -> MemN2N:
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
        model : MemN2N
        """
        own = {name: value for name, value in asdict(self).items() if name in OF_THE_MODEL}
        machine = {"backend": backend, "kernels": kernels}
        return MemN2N(vocabulary_size, *sizes, **own, **machine, random_state=random_state)

    def new_batches(self, questions: int, random_state: int) -> RandomBatches:
        """Say which questions stand in which step."""
        return RandomBatches(questions, self.batch_size, random_state, first=0)

    def new_optimizer(self, model: MemN2N, random_state: int, steps_per_epoch: int) -> SteppedSgd:
        """Make the update rule."""
        return SteppedSgd(model, self, steps_per_epoch)

    def loss_options(self, step: int, epoch: int) -> dict:
        """Return what the model's loss takes besides the batch."""
        return {"step": step, "linear": epoch < self.linear_start}


MEMN2N_PRESETS = {
    "memn2n-joint": MemN2NSettings(),
    "memn2n-single": MemN2NSettings(
        linear_start=20, halving_epochs=25, epochs=120, embedding_size=20
    ),
}
"""The published recipes: one model for all tasks, and one a task."""
