"""The optimisers of the language model: a learning rate that falls when validation stagnates."""

from abc import abstractmethod
from itertools import pairwise

from kvnet.models.network import Network
from kvnet.parameter_vector import by_name
from kvnet.training.optimizers.optimizer import Optimizer

DIVISOR = 1.5
PROGRESS = 0.9999  # largest ratio of two validation losses that counts as progress
LOWEST_RATE = 1e-5
FIRST_SQUARE = 0.1  # keeps Adagrad's first steps from all being of one size
AVERAGED_EVERY = 50  # steps, since a pass over all parameters takes a third of a step


def annealed(learning_rate: float, losses: list[float]) -> float:
    """Divide the learning rate by 1.5 for every epoch without progress.

    Parameters
    ----------
    learning_rate : float
        Initial rate.
    losses : list of float
        Validation loss after each epoch so far.

    Returns
    -------
    learning_rate : float
    """
    without_progress = sum(after > PROGRESS * before for before, after in pairwise(losses))
    return learning_rate / DIVISOR**without_progress


class AnnealedOptimizer(Optimizer):
    """A clipped update whose rate validation lowers, with an optional average of the parameters.

    Parameters
    ----------
    model : Network
    learning_rate : float
        Initial rate.
    max_norm : float
    clip : {"global", "each"}
        As for `kvnet.updates.sgd`.
    averaged_steps : float, default=0
        Length of the running average of the parameters, in steps; 0 for no average.

    Attributes
    ----------
    average : (N,) float array or None
        The mean of `theta` over the steps so far, and after `averaged_steps` an exponential one.

    References
    ----------
    Polyak and Juditsky 1992, "Acceleration of stochastic approximation by averaging".
    """

    def __init__(
        self,
        model: Network,
        *,
        learning_rate: float,
        max_norm: float,
        clip: str,
        averaged_steps: float = 0,
    ):
        super().__init__(model)
        self.max_norm, self.clip = max_norm, clip
        self._initial_rate = self._rate = learning_rate
        self._averaged_steps, self.vectors = averaged_steps, {}
        if averaged_steps:
            self.average = self.vectors["average/"] = model.theta.copy()

    def update(self, gradients: dict, step: int) -> float:
        """Take one step; there is no penalty. See `Optimizer.update`."""
        self._descend(gradients, self._rate)
        if self.average is not None and (step + 1) % AVERAGED_EVERY == 0:
            share = max(AVERAGED_EVERY / self._averaged_steps, AVERAGED_EVERY / (step + 1))
            self.average += min(share, 1) * (self.model.theta - self.average)
        return 0.0

    @abstractmethod
    def _descend(self, gradients: dict, learning_rate: float) -> None:
        """Change the parameters."""

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate, which is constant until the next evaluation."""
        return self._rate

    def after_evaluation(self, history: list[dict]) -> None:
        """Set the learning rate from the validation losses so far."""
        losses = [record["validation_loss"] for record in history]
        self._rate = annealed(self._initial_rate, losses)

    @property
    def ended(self) -> bool:
        """Whether the learning rate is too low to continue."""
        return self._rate < LOWEST_RATE


class AnnealedSgd(AnnealedOptimizer):
    """Gradient descent, as published; see `AnnealedOptimizer` for the parameters."""

    def _descend(self, gradients, learning_rate):
        model = self.model
        self.updates.sgd(model.xp, model.params, gradients, learning_rate, self.max_norm, self.clip)


class AnnealedAdagrad(AnnealedOptimizer):
    """Adagrad; see `AnnealedOptimizer` for the parameters."""

    def __init__(self, model: Network, **options):
        super().__init__(model, **options)
        squares = self.vectors["squares/"] = model.xp.full_like(model.theta, FIRST_SQUARE)
        self._squares = by_name(squares, model.shapes)

    def _descend(self, gradients, learning_rate):
        model, bounds = self.model, (self.max_norm, self.clip)
        self.updates.adagrad(
            model.xp, model.params, self._squares, gradients, learning_rate, *bounds
        )
