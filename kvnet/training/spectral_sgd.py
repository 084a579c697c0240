"""Plain gradient descent with each matrix's gradient bounded in spectral norm."""

from math import isfinite

import numpy

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
    if xp is numpy:  # a device would have to be waited for to tell
        squares = float((gradient * gradient).sum())
        if squares <= max_norm**2 or not isfinite(squares):
            return gradient  # no singular value is above the Frobenius norm; or the loss will tell
    largest = xp.linalg.eigvalsh(gradient.T @ gradient)[-1].astype("float64")
    scale = max_norm / xp.maximum(largest, max_norm**2) ** 0.5
    return gradient * scale.astype(gradient.dtype)


def spectral_sgd(xp, theta, gradient, shapes, learning_rate: float, max_norm: float) -> None:
    """Take a step in place: ``θ -= lr G min(1, max_norm / σ_max(G))`` for each matrix.

    Parameters
    ----------
    xp : module
        Array module.
    theta : (N,) float array
        All parameters; changed.
    gradient : (N,) float array
    shapes : dict of str to tuple of two int
        Of the matrices that stand in them, in their order.
    learning_rate, max_norm : float
    """
    params = by_name(theta, shapes)
    for name, g in by_name(gradient, shapes).items():
        params[name] -= learning_rate * clip_by_spectral_norm(xp, g, max_norm)
