"""The language model's optimiser: gradient descent at a rate that validation lowers."""

from itertools import pairwise

from kvnet.parameter_vector import by_name

DIVISOR = 1.5
ENOUGH = 0.9999  # of the loss before: what is above is no progress
LOWEST_RATE = 1e-5
FIRST_SQUARE = 0.1  # so that the first steps are not all of one size
AVERAGED_EVERY = 50  # steps: a pass over all weights takes as long as a third of a step


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
    """The optimiser of the language model: the published one, or with `adagrad` steps.

    Parameters
    ----------
    model : MemN2NLanguageModel
        Its parameters are updated in place.
    learning_rate : float
        At the start.
    max_norm : float
    clip : {"global", "each"}
    steps_back : float
        How many steps the weights' running average looks back on; 0 for none.
    adaptive : bool
        Take `adagrad` steps in place of plain ones.

    Attributes
    ----------
    average : (N,) float array or None
        The running average of the model's `theta`: the plain one up to `steps_back`, then an
        exponential one.
    means : dict of str to array
        What a checkpoint must hold besides: the average and the squares' sums, where there are any.

    References
    ----------
    Polyak and Juditsky 1992, "Acceleration of stochastic approximation by averaging".
    """

    def __init__(
        self,
        model,
        learning_rate: float,
        max_norm: float,
        clip: str,
        steps_back: float = 0,
        adaptive: bool = False,
    ):
        self.model, self.max_norm, self.clip = model, max_norm, clip
        self._first_rate = self._rate = learning_rate
        self._steps_back = steps_back
        self.average = model.theta.copy() if steps_back else None
        self._squares = model.xp.full_like(model.theta, FIRST_SQUARE) if adaptive else None
        means = {"average/": self.average, "squares/": self._squares}
        self.means = {prefix: mean for prefix, mean in means.items() if mean is not None}

    def update(self, gradients: dict, step: int) -> None:
        """Take one step.

        Parameters
        ----------
        gradients : dict of str to float array or RowGradient
        step : int
            Steps done before this one.
        """
        model, rate = self.model, self.learning_rate_at(step)
        xp, ops, params = model.xp, model.operations, model.params
        if self._squares is None:
            ops.sgd(xp, params, gradients, rate, self.max_norm, self.clip)
        else:
            squares = by_name(self._squares, model.shapes)
            ops.adagrad(xp, params, squares, gradients, rate, self.max_norm, self.clip)
        if self.average is not None and (step + 1) % AVERAGED_EVERY == 0:
            share = max(AVERAGED_EVERY / self._steps_back, AVERAGED_EVERY / (step + 1))
            self.average += min(share, 1) * (model.theta - self.average)

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
