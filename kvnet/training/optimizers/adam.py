"""Adam at a rate that falls to zero."""

from kvnet.models.network import Network
from kvnet.parameter_vector import by_name
from kvnet.training.optimizers.optimizer import Optimizer


class Adam(Optimizer):
    """Adam on the rows that have a gradient, at a rate that falls linearly to zero.

    Parameters
    ----------
    model : Network
    learning_rate : float
        Of the first step.
    steps : int
        Steps of the whole training.
    epsilon : float
    max_norm : float
        Bound of the norm of the gradient, over all parameters.

    Attributes
    ----------
    m, v : (N,) float array
        Running means of the gradient and of its square.
    """

    def __init__(
        self, model: Network, *, learning_rate: float, steps: int, epsilon: float, max_norm: float
    ):
        super().__init__(model)
        self.learning_rate, self.steps = learning_rate, steps
        self.epsilon, self.max_norm = epsilon, max_norm
        self.m, self.v = model.xp.zeros_like(model.theta), model.xp.zeros_like(model.theta)
        self.vectors = {"m/": self.m, "v/": self.v}
        self._means = by_name(self.m, model.shapes), by_name(self.v, model.shapes)

    def update(self, gradients: dict, step: int) -> float:
        """Take one step; there is no penalty. See `Optimizer.update`."""
        model, rate = self.model, self.learning_rate_at(step)
        self.updates.adam(
            model.xp,
            model.params,
            *self._means,
            gradients,
            step,
            rate,
            self.epsilon,
            self.max_norm,
            "global",
        )
        return 0.0

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate, which is in proportion to the steps that remain."""
        return self.learning_rate * max(1 - step / self.steps, 0)
