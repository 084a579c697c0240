"""The optimiser of the Key-Value Memory Network."""

from kvnet.models.network import Network
from kvnet.parameter_vector import sections_of
from kvnet.training.optimizers.optimizer import Optimizer
from kvnet.updates.noisy_adam import UpdateRule
from kvnet.updates.row_gradient import dense

DECAY = 0.96


class NoisyAdam(Optimizer):
    """The published optimiser: `noisy_adam`, at a rate that falls by 4% every `decay_steps` steps.

    Parameters
    ----------
    model : Network
        Its ``nil_rows`` name the tables whose row 0 gets no noise.
    learning_rate : float
    decay_steps : int
    l2_lambda, clip_norm, epsilon, random_state
        As for `UpdateRule`.

    Attributes
    ----------
    m, v : (N,) float array
        Running means of the gradient and of its square.
    rule : UpdateRule
    """

    def __init__(
        self,
        model: Network,
        *,
        learning_rate: float,
        decay_steps: int,
        l2_lambda: float,
        clip_norm: float,
        epsilon: float,
        random_state: int,
    ):
        super().__init__(model)
        self.learning_rate, self.decay_steps = learning_rate, decay_steps
        self.m, self.v = model.xp.zeros_like(model.theta), model.xp.zeros_like(model.theta)
        self.vectors = {"m/": self.m, "v/": self.v}
        sections = sections_of(model.shapes)
        starts = {name: sections[name][0] for name in model.nil_rows}
        self.rule = UpdateRule(
            sections=tuple(sections.values()),
            silent=tuple((start, start + model.shapes[name][1]) for name, start in starts.items()),
            l2_lambda=l2_lambda,
            clip_norm=clip_norm,
            epsilon=epsilon,
            random_state=random_state,
        )

    def update(self, gradients: dict, step: int):
        """Take one step; returns the L2 penalty. See `Optimizer.update`."""
        xp, theta = self.model.xp, self.model.theta
        gradient = self.updates.as_vector(xp, dense(xp, gradients, self.model.params))
        rate = self.learning_rate_at(step)
        return self.updates.noisy_adam(xp, theta, gradient, self.m, self.v, step, rate, self.rule)

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate: multiplied by 0.96 after every `decay_steps` steps."""
        return self.learning_rate * DECAY ** (step // self.decay_steps)
