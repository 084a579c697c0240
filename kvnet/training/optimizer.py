"""The optimiser: the published update with its running means and its learning rate."""

from kvnet.parameter_vector import sections_of
from kvnet.training.noisy_adam import UpdateRule

DECAY = 0.96


def staircase(learning_rate: float, step: int, decay_steps: int) -> float:
    """Multiply the learning rate by 0.96 after every `decay_steps` steps.

    Parameters
    ----------
    learning_rate : float
    step : int
        Steps done.
    decay_steps : int

    Returns
    -------
    learning_rate : float
    """
    return learning_rate * DECAY ** (step // decay_steps)


class NoisyAdam:
    """The published optimiser of a model's parameters.

    Parameters
    ----------
    model : KeyValueMemoryNetwork
        Its `theta` is updated in place.
    learning_rate, epsilon : float
    clip_norm : float
        Norm that each parameter's gradient is clipped to.
    decay_steps : int
    random_state : int
        Seed of the noise.

    Attributes
    ----------
    m, v : (N,) float array
        Running means of the gradient and of its square.
    means : dict of str to array
        The two by the prefix that a checkpoint names their parts with.
    rule : UpdateRule
    ended : bool
        Whether the training is to stop: never of itself.
    """

    ended = False

    def __init__(self, model, learning_rate, epsilon, clip_norm, decay_steps, random_state):
        self.model, self.learning_rate, self.decay_steps = model, learning_rate, decay_steps
        self.m, self.v = model.xp.zeros_like(model.theta), model.xp.zeros_like(model.theta)
        self.means = {"m/": self.m, "v/": self.v}
        sections = sections_of(model.shapes)
        nil_rows = [
            (sections[name][0], sections[name][0] + model.shapes[name][1])
            for name in model.nil_rows
        ]
        self.rule = UpdateRule(
            tuple(sections.values()), tuple(nil_rows), clip_norm, epsilon, random_state
        )

    def update(self, gradient, step: int) -> None:
        """Take one step.

        Parameters
        ----------
        gradient : (N,) float array
            As the model's `theta`.
        step : int
            Steps done before this one.
        """
        model = self.model
        rate = self.learning_rate_at(step)
        model.operations.noisy_adam(
            model.xp, model.theta, gradient, self.m, self.v, step, rate, self.rule
        )

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate after so many steps."""
        return staircase(self.learning_rate, step, self.decay_steps)

    def heed(self, history: list[dict]) -> None:
        """Take note of the evaluations so far, on which nothing hangs here."""
