"""The language model's optimiser: plain gradient descent at a rate that validation lowers."""

from itertools import pairwise

DIVISOR = 1.5
ENOUGH = 0.9999  # of the loss before: what is above is no progress
LOWEST_RATE = 1e-5


def annealed(learning_rate: float, losses: list[float]) -> float:
    """Divide the learning rate by 1.5 for every epoch that brought no progress.

    Parameters
    ----------
    learning_rate : float
        At the start.
    losses : list of float
        Validation loss after each epoch so far.

    Returns
    -------
    learning_rate : float
    """
    stuck = sum(after > ENOUGH * before for before, after in pairwise(losses))
    return learning_rate / DIVISOR**stuck


class AnnealedSgd:
    """The published optimiser of the language model.

    Parameters
    ----------
    model : MemN2NLanguageModel
        Its parameters are updated in place.
    learning_rate : float
        At the start.
    max_norm : float
    clip : {"global", "each"}

    Attributes
    ----------
    means : dict of str to array
        Running means that a checkpoint must hold: none.
    """

    def __init__(self, model, learning_rate: float, max_norm: float, clip: str):
        self.model, self.max_norm, self.clip = model, max_norm, clip
        self._first_rate = self._rate = learning_rate
        self.means = {}

    def update(self, gradients: dict, step: int) -> None:
        """Take one step.

        Parameters
        ----------
        gradients : dict of str to float array or RowGradient
        step : int
            Steps done before this one.
        """
        model, rate = self.model, self.learning_rate_at(step)
        model.operations.sgd(model.xp, model.params, gradients, rate, self.max_norm, self.clip)

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate, the same until the next evaluation."""
        return self._rate

    def heed(self, history: list[dict]) -> None:
        """Set the learning rate that follows from the evaluations so far."""
        losses = [record["validation_loss"] for record in history]
        self._rate = annealed(self._first_rate, losses)

    @property
    def ended(self) -> bool:
        """Whether the rate has become too low to go on."""
        return self._rate < LOWEST_RATE
