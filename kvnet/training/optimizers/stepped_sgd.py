"""The optimiser of MemN2N on bAbI."""

from kvnet.models.network import Network
from kvnet.training.optimizers.optimizer import Optimizer
from kvnet.updates.row_gradient import dense


class SteppedSgd(Optimizer):
    """The published optimiser: `spectral_sgd`, at a rate that is halved every few epochs.

    Parameters
    ----------
    model : Network
    learning_rate : float
        Until `constant_steps` plus `halving_steps` steps are done.
    max_grad_norm : float
        Largest spectral norm of each matrix's gradient.
    constant_steps : int
        Steps before the schedule begins.
    halving_steps : int
        Steps from one halving to the next.
    """

    def __init__(
        self,
        model: Network,
        *,
        learning_rate: float,
        max_grad_norm: float,
        constant_steps: int,
        halving_steps: int,
    ):
        super().__init__(model)
        self.learning_rate, self.max_grad_norm = learning_rate, max_grad_norm
        self.constant_steps, self.halving_steps = constant_steps, halving_steps

    def update(self, gradients: dict, step: int) -> float:
        """Take one step; there is no penalty. See `Optimizer.update`."""
        model, xp, rate = self.model, self.model.xp, self.learning_rate_at(step)
        gradient = self.updates.as_vector(xp, dense(xp, gradients, model.params))
        self.updates.spectral_sgd(xp, model.theta, gradient, model.shapes, rate, self.max_grad_norm)
        return 0.0

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate: halved every `halving_steps` steps of the schedule."""
        halvings = max((step - self.constant_steps) // self.halving_steps, 0)
        return self.learning_rate * 0.5**halvings
