"""The published update: clip, add noise, Adam, with a learning rate that falls in steps."""

from kvnet.counter_random import normal

BETA_1, BETA_2 = 0.9, 0.999
NOISE_DEVIATION = 1e-3
DECAY = 0.96


def clip_by_norm(xp, gradient, max_norm: float):
    """Shorten a gradient to a norm: ``g min(1, max_norm / ‖g‖)``.

    Parameters
    ----------
    xp : module
        Array module.
    gradient : float array
    max_norm : float

    Returns
    -------
    gradient : float array
    """
    norm = xp.sqrt((gradient * gradient).sum())
    return gradient * (max_norm / xp.maximum(norm, max_norm))


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
    """Adam on clipped gradients with Gaussian noise.

    ``θ -= lr √(1-β₂ᵗ)/(1-β₁ᵗ) · m / (√v + ε)``: ε is added before the bias correction, which
    matters at the published ε of 0.1.

    Parameters
    ----------
    params : dict of str to float array
        Updated in place.
    nil_rows : sequence of str
        Parameters whose row 0 gets no update.
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

    References
    ----------
    Kingma and Ba 2015 (arXiv 1412.6980), section 2; noise: Neelakantan et al. 2015
    (arXiv 1511.06807), of fixed deviation here.
    """

    def __init__(
        self, xp, params, nil_rows, learning_rate, epsilon, clip_norm, decay_steps, random_state
    ):
        self.xp, self.params, self.nil_rows = xp, params, nil_rows
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
        t = step + 1
        rate = staircase(self.learning_rate, step, self.decay_steps)
        rate *= (1 - BETA_2**t) ** 0.5 / (1 - BETA_1**t)
        for name, theta in self.params.items():
            g = clip_by_norm(self.xp, grads[name], self.clip_norm) + noise[name]
            if name in self.nil_rows:
                g[0] = 0
            m, v = self.m[name], self.v[name]
            m += (1 - BETA_1) * (g - m)
            v += (1 - BETA_2) * (g * g - v)
            theta -= rate * m / (self.xp.sqrt(v) + self.epsilon)

    def _noise(self, step):
        """Draw the noise of all parameters as one row of numbers, in their order."""
        sizes = [theta.size for theta in self.params.values()]
        dtype = next(iter(self.params.values())).dtype
        z = normal(self.xp, self.random_state, "gradient noise", step, (sum(sizes),), dtype)
        z *= NOISE_DEVIATION
        noise, start = {}, 0
        for (name, theta), size in zip(self.params.items(), sizes, strict=True):
            noise[name] = z[start : start + size].reshape(theta.shape)
            start += size
        return noise
