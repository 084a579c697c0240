"""Plain gradient descent with the gradient's norm bounded."""

from collections.abc import Iterator

from kvnet.row_gradient import RowGradient

CLIPS = ("global", "each")


def clip_scales(xp, squares: dict, max_norm: float, clip: str) -> dict:
    """Return the factor of each gradient: ``min(1, max_norm / norm)``.

    Parameters
    ----------
    xp : module
        Array module.
    squares : dict of str to scalar float array
        Each gradient's squared norm.
    max_norm : float
    clip : {"global", "each"}
        One norm over all gradients, or each gradient's own.

    Returns
    -------
    scales : dict of str to scalar float64 array
    """
    together = sum(squares.values())
    norms = {
        name: (together if clip == "global" else square).astype("float64") ** 0.5
        for name, square in squares.items()
    }
    return {name: max_norm / xp.maximum(norm, max_norm) for name, norm in norms.items()}


def sgd(xp, params, gradients, learning_rate: float, max_norm: float, clip: str) -> None:
    """Take a step in place: ``θ -= lr min(1, max_norm / ‖g‖) g``; unused rows stay untouched.

    Parameters
    ----------
    xp : module
        Array module.
    params : dict of str to float array
        Changed.
    gradients : dict of str to float array or RowGradient
    learning_rate, max_norm : float
    clip : {"global", "each"}
        As for `clip_scales`.
    """
    for name, rows, g in clipped(xp, gradients, max_norm, clip):
        params[name][rows] -= learning_rate * g


def clipped(xp, gradients, max_norm, clip) -> Iterator[tuple]:
    """Give each parameter's name, the rows that have a gradient, and that, clipped."""
    numbers = {
        name: gradient.values if isinstance(gradient, RowGradient) else gradient
        for name, gradient in gradients.items()
    }
    squares = {name: (g * g).sum() for name, g in numbers.items()}
    for name, scale in clip_scales(xp, squares, max_norm, clip).items():
        gradient = gradients[name]
        rows = gradient.rows if isinstance(gradient, RowGradient) else slice(None)
        yield name, rows, scale.astype(numbers[name].dtype) * numbers[name]
