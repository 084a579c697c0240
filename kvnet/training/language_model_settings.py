"""The hyper-parameters of the language model, under their published names."""

from dataclasses import asdict, dataclass
from typing import ClassVar

from kvnet.errors import InputError
from kvnet.models.memn2n_language_model import MemN2NLanguageModel
from kvnet.training.annealed_sgd import AnnealedSgd
from kvnet.training.batches import RandomBatches
from kvnet.training.setting import CheckedSettings, from_one, positive, setting
from kvnet.training.sgd import CLIPS

OF_THE_MODEL = (
    "edim",
    "lindim",
    "nhop",
    "mem_size",
    "init_hid",
    "init_std",
    "dropout",
    "word_dropout",
)
OPTIMIZERS = ("sgd", "adagrad")


def _share(default, help):
    return setting(default, "a number from 0, below 1", lambda x: 0 <= x < 1, help)


@dataclass(frozen=True)
class LanguageModelSettings(CheckedSettings):
    """Hyper-parameters of the language model and of its training; the defaults are published.

    Raises
    ------
    InputError
        If one is out of range; the message names it, its value and what it takes.
    """

    edim: int = from_one(150, "components of a word's embedding")
    lindim: int = setting(
        75,
        "a whole number from 0 to edim",
        lambda n: n >= 0,
        "components of the query that stay linear; the others are rectified after every hop",
    )
    nhop: int = from_one(6, "reads of the memory")
    mem_size: int = from_one(100, "words before the target that make the memory")
    batch_size: int = from_one(128, "targets a step")
    nepoch: int = from_one(100, "the most passes over the training text")
    init_lr: float = positive(0.01, "learning rate at the start")
    init_hid: float = setting(
        0.1, "a number", lambda x: abs(x) < float("inf"), "every component of the first query"
    )
    init_std: float = positive(0.05, "deviation of the starting weights")
    optimizer: str = setting(
        "sgd",
        " or ".join(OPTIMIZERS),
        OPTIMIZERS.__contains__,
        "plain gradient descent, as published, or adagrad: try --init-lr 0.1",
    )
    dropout: float = _share(0.0, "share of the last query's components left out in training")
    word_dropout: float = _share(0.0, "share of the words left out of a step's memories")
    averaging: float = setting(
        0.0,
        "a number from 0",
        lambda x: 0 <= x < float("inf"),
        "epochs over which weights are averaged; 0 takes the last weights, as published",
    )
    max_grad_norm: float = positive(50.0, "norm that the gradient is clipped to")
    clip: str = setting(
        "global",
        " or ".join(CLIPS),
        CLIPS.__contains__,
        "clip the norm over all parameters, as the Torch code, or of each, as the TensorFlow code",
    )

    evaluation_interval: ClassVar[int] = 1
    early_stopping: ClassVar[int] = 0
    renamed: ClassVar[dict[str, str]] = {"epochs": "nepoch", "learning_rate": "init_lr"}

    def __post_init__(self):
        super().__post_init__()
        if self.lindim > self.edim:
            raise InputError(
                f"lindim={self.lindim} is out of range; it takes a whole number from 0 to "
                f"edim={self.edim}"
            )

    @property
    def epochs(self) -> int:
        """The most epochs."""
        return self.nepoch

    @property
    def learning_rate(self) -> float:
        """The learning rate at the start."""
        return self.init_lr

    def new_model(
        self, vocabulary_size: int, random_state: int, backend: str, kernels: str
    ) -> MemN2NLanguageModel:
        """Make an untrained model of these settings.

        Parameters
        ----------
        vocabulary_size : int
        random_state : int
        backend : {"numpy", "cupy", "auto"}
        kernels : {"reference", "fused", "auto"}

        Returns
        -------
        model : MemN2NLanguageModel
        """
        sizes = {name: value for name, value in asdict(self).items() if name in OF_THE_MODEL}
        return MemN2NLanguageModel(
            vocabulary_size, **sizes, backend=backend, kernels=kernels, random_state=random_state
        )

    def new_batches(self, targets: int, random_state: int) -> RandomBatches:
        """Say which targets stand in which step."""
        return RandomBatches(targets, self.batch_size, random_state, self.mem_size)

    def new_optimizer(
        self, model: MemN2NLanguageModel, random_state: int, steps_per_epoch: int
    ) -> AnnealedSgd:
        """Make the update rule."""
        steps_back = self.averaging * steps_per_epoch
        adaptive = self.optimizer == "adagrad"
        bounds = self.max_grad_norm, self.clip
        return AnnealedSgd(model, self.init_lr, *bounds, steps_back, adaptive)

    def loss_options(self, step: int, epoch: int) -> dict:
        """Return what the model's loss takes besides the batch."""
        return {"step": step}
