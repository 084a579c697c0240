"""The contract of a recipe."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

from kvnet.hyper_parameter import HyperParameters
from kvnet.models.network import Network, NetworkConfig
from kvnet.training.batches import Batches, RandomBatches
from kvnet.training.optimizers.optimizer import Optimizer

DIVERGES_ABOVE = ("l2_lambda", "init_std", "initial_query")
DIVERGES_BELOW = ("epsilon",)
UNUSUAL = 100  # times the default, or less than it by this factor


@dataclass(frozen=True, kw_only=True)
class Recipe(HyperParameters, ABC):
    """All hyper-parameters of a model and of its training; makes the model and its training parts.

    Every recipe has ``epochs``, ``batch_size``, ``learning_rate`` and ``memory_size``.

    Attributes
    ----------
    evaluation_interval : int
        Epochs from one evaluation to the next.
    early_stopping : int
        Evaluations without progress after which training stops; 0 for never.
    """

    evaluation_interval: ClassVar[int] = 1
    early_stopping: ClassVar[int] = 0

    @abstractmethod
    def new_model(self, data, random_state: int, backend: str, kernels: str) -> Network:
        """Return an untrained model.

        Parameters
        ----------
        data : TaskData or TextData
            Its vocabulary, and the sizes of its sentences and memories, give the model's sizes.
        random_state : int
        backend : {"numpy", "cupy", "auto"}
        kernels : {"reference", "fused", "auto"}

        Returns
        -------
        model : Network
        """

    @abstractmethod
    def new_batches(self, examples: int, random_state: int) -> Batches | RandomBatches:
        """Return the batches of every step, for a number of training examples or words."""

    @abstractmethod
    def new_optimizer(self, model: Network, random_state: int, steps_per_epoch: int) -> Optimizer:
        """Return the optimiser of a model."""

    def set_mode(self, model: Network, epoch: int) -> None:
        """Set the model's mode for an epoch, counted from 0. Does nothing by default."""

    def remedy_of_divergence(self) -> str:
        """Say which setting to change after a loss that is not finite.

        These are the settings that diverge far from their defaults; without any, the learning rate.
        """
        unusual = [
            f"{self.setting(spec.name, value)} nearer to {spec.default:g}"
            for spec, value in ((spec, getattr(self, spec.name)) for spec in fields(self))
            if (spec.name in DIVERGES_ABOVE and abs(value) > UNUSUAL * abs(spec.default))
            or (spec.name in DIVERGES_BELOW and UNUSUAL * value < spec.default)
        ]
        rate = f"{self.setting('learning_rate')} below {self.learning_rate:g}"
        return "set " + " and ".join(unusual or [rate])

    def config(self, kind: type[NetworkConfig], **sizes) -> NetworkConfig:
        """Return a model's configuration: this recipe's hyper-parameters, and the sizes given."""
        names = {spec.name for spec in fields(self)} - set(sizes)
        shared = [spec.name for spec in fields(kind) if spec.name in names]
        return kind(**{name: getattr(self, name) for name in shared}, **sizes)
