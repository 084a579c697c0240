"""MemN2N's optimiser on bAbI: plain gradient descent, each matrix clipped, the rate halved."""


class SteppedSgd:
    """The published optimiser of MemN2N on bAbI.

    Parameters
    ----------
    model : MemN2N
        Its parameters are updated in place.
    settings : MemN2NSettings
    steps_per_epoch : int

    Attributes
    ----------
    means : dict of str to array
        Running means that a checkpoint must hold: none.
    ended : bool
        Whether the training is to stop: never of itself.
    """

    ended = False

    def __init__(self, model, settings, steps_per_epoch: int):
        self.model, self.settings, self.steps_per_epoch = model, settings, steps_per_epoch
        self.means = {}

    def update(self, gradient, step: int) -> None:
        """Take one step.

        Parameters
        ----------
        gradient : (N,) float array
            As the model's `theta`.
        step : int
            Steps done before this one.
        """
        model, rate = self.model, self.learning_rate_at(step)
        bound = self.settings.max_grad_norm
        model.operations.spectral_sgd(model.xp, model.theta, gradient, model.shapes, rate, bound)

    def learning_rate_at(self, step: int) -> float:
        """Return the rate: the first one until the softmax comes in, then halved now and again."""
        s = self.settings
        since = step // self.steps_per_epoch - s.linear_start
        return s.learning_rate * 0.5 ** max(since // s.halving_epochs, 0)

    def heed(self, history: list[dict]) -> None:
        """Take note of the evaluations so far, on which nothing hangs here."""
