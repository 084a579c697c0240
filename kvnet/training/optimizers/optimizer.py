"""The contract of an optimiser."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from kvnet.kernels import choose_updates
from kvnet.models.network import Network
from kvnet.updates import Updates


class Optimizer(ABC):
    """Change a model's parameters, step by step, given their gradients.

    Parameters
    ----------
    model : Network
        Its `theta` is changed in place.

    Attributes
    ----------
    updates : Updates
        In the same form, textbook or fused, as the model's operations.
    vectors : dict of str to (N,) float array
        The state that a checkpoint stores, like `theta`, by the prefix of the names in the file.
    average : (N,) float array or None
        Parameters to evaluate and to keep in place of the last ones, if the optimiser averages.
    ended : bool
        Whether the training is to stop.
    """

    average = None
    ended = False
    vectors: ClassVar[Mapping] = {}

    def __init__(self, model: Network):
        self.model = model
        self.updates: Updates = choose_updates(model.kernels, model.xp)

    @abstractmethod
    def update(self, gradients: dict, step: int):
        """Take one step.

        Parameters
        ----------
        gradients : dict of str to float array or RowGradient
            By parameter name.
        step : int
            Number of steps before this one.

        Returns
        -------
        penalty : scalar float array or float
            What the update adds to the loss; 0.0 without a penalty.
        """

    @abstractmethod
    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of the step that follows `step` others."""

    def after_evaluation(self, history: list[dict]) -> None:  # noqa: B027  (most do nothing)
        """Adapt to the evaluations so far. Called after each; does nothing by default."""
