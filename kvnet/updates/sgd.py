"""Gradient descent with a bounded norm of the gradient."""

from collections.abc import Iterator

from kvnet.updates.row_gradient import RowGradient

CLIPS = ("global", "each")


def clip_scales(xp, squares: dict, max_norm: float, clip: str) -> dict:
    """Return the scale of each gradient: ``min(1, max_norm / norm)``.

    Parameters
    ----------
    xp : module
        Array module.
    squares : dict of str to scalar float array
        Squared norm of each gradient.
    max_norm : float
    clip : {"global", "each"}
        Bound one norm over all gradients, or the norm of each.

    Returns
    -------
    scales : dict of str to scalar float64 array
    """
    total = sum(squares.values())
    norms = {
        name: (total if clip == "global" else square).astype("float64") ** 0.5
        for name, square in squares.items()
    }
    return {name: max_norm / xp.maximum(norm, max_norm) for name, norm in norms.items()}


def sgd(xp, params, gradients, learning_rate: float, max_norm: float, clip: str) -> None:
    """Take a step in place: ``θ -= lr min(1, max_norm / ‖g‖) g``.

    Parameters
    ----------
    xp : module
        Array module.
    params : dict of str to float array
        Changed in place. Rows without a gradient do not change.
    gradients : dict of str to float array or RowGradient
    learning_rate, max_norm : float
    clip : {"global", "each"}
        As for `clip_scales`.
    """
    for name, rows, g in clipped_gradients(xp, gradients, max_norm, clip):
        params[name][rows] -= learning_rate * g


def clipped_gradients(xp, gradients, max_norm: float, clip: str) -> Iterator[tuple]:
    """Yield the name, the rows with a gradient and the clipped gradient of each parameter."""
    values = {
        name: gradient.values if isinstance(gradient, RowGradient) else gradient
        for name, gradient in gradients.items()
    }
    squares = {name: (g * g).sum() for name, g in values.items()}
    for name, scale in clip_scales(xp, squares, max_norm, clip).items():
        gradient = gradients[name]
        rows = gradient.rows if isinstance(gradient, RowGradient) else slice(None)
        yield name, rows, scale.astype(values[name].dtype) * values[name]
