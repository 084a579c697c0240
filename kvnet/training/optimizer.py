"""The optimiser: the published update of every parameter, its noise and its learning rate."""

from kvnet.counter_random import normal

NOISE_DEVIATION = 1e-3
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
    """The published optimiser: `noisy_adam` on every parameter, its noise and its running means.

    Parameters
    ----------
    operations : namespace
        With `noisy_adam` and `uniform`, from `kvnet.kernels.choose`.
    xp : module
        Array module.
    params : dict of str to float array
        Updated in place.
    nil_rows : sequence of str
        Parameters whose row 0 gets no update: its gradient is zero, and so is its noise.
    learning_rate, epsilon : float
    clip_norm : float
        Norm that each parameter's gradient is clipped to.
    decay_steps : int
    random_state : int
        Seed of the noise.

    Attributes
    ----------
    m, v : dict of str to float array
        Running means of the gradient and of its square.
    """

    def __init__(
        self,
        operations,
        xp,
        params,
        nil_rows,
        learning_rate,
        epsilon,
        clip_norm,
        decay_steps,
        random_state,
    ):
        self.operations, self.xp, self.params, self.nil_rows = operations, xp, params, nil_rows
        self.learning_rate, self.epsilon = learning_rate, epsilon
        self.clip_norm, self.decay_steps = clip_norm, decay_steps
        self.random_state = random_state
        self.m = {name: xp.zeros_like(theta) for name, theta in params.items()}
        self.v = {name: xp.zeros_like(theta) for name, theta in params.items()}

    def update(self, grads, step: int) -> None:
        """Take one step.

        Parameters
        ----------
        grads : dict of str to float array
            With the names of the parameters.
        step : int
            Steps done before this one.
        """
        noise = self._noise(step)
        rate = staircase(self.learning_rate, step, self.decay_steps)
        for name, theta in self.params.items():
            self.operations.noisy_adam(
                self.xp,
                theta,
                grads[name],
                noise[name],
                self.m[name],
                self.v[name],
                step,
                self.clip_norm,
                rate,
                self.epsilon,
            )

    def _noise(self, step):
        """Draw the noise of all parameters as one row of numbers, in their order."""
        sizes = [theta.size for theta in self.params.values()]
        dtype = next(iter(self.params.values())).dtype
        draw = self.operations.uniform
        z = normal(self.xp, self.random_state, "gradient noise", step, (sum(sizes),), dtype, draw)
        z *= NOISE_DEVIATION
        noise, start = {}, 0
        for (name, theta), size in zip(self.params.items(), sizes, strict=True):
            noise[name] = z[start : start + size].reshape(theta.shape)
            if name in self.nil_rows:
                noise[name][0] = 0
            start += size
        return noise
