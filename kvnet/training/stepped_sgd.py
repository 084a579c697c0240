"""MemN2N's optimiser on bAbI: plain gradient descent, each matrix clipped, the rate halved."""

from kvnet.parameter_vector import by_name


def clip_by_spectral_norm(xp, gradient, max_norm: float):
    """Shorten a matrix to a spectral norm: ``G min(1, max_norm / σ_max(G))``.

    Parameters
    ----------
    xp : module
        Array module.
    gradient : (N, E) float array
    max_norm : float

    Returns
    -------
    gradient : (N, E) float array
    """
    if float((gradient * gradient).sum()) <= max_norm**2:  # no singular value is above that norm
        return gradient
    largest = float(xp.linalg.eigvalsh(gradient.T @ gradient)[-1]) ** 0.5
    return gradient * (max_norm / max(largest, max_norm))


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
        for name, g in by_name(gradient, model.shapes).items():
            clipped = clip_by_spectral_norm(model.xp, g, self.settings.max_grad_norm)
            model.params[name] -= rate * clipped

    def learning_rate_at(self, step: int) -> float:
        """Return the rate: the first one until the softmax comes in, then halved now and again."""
        s = self.settings
        since = step // self.steps_per_epoch - s.linear_start
        return s.learning_rate * 0.5 ** max(since // s.halving_epochs, 0)

    def heed(self, history: list[dict]) -> None:
        """Take note of the evaluations so far, on which nothing hangs here."""
