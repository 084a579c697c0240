"""Gradient descent with a bounded spectral norm of each matrix's gradient."""

from math import isfinite

import numpy

from kvnet.parameter_vector import by_name


def clip_by_spectral_norm(xp, gradient, max_norm: float):
    """Scale a matrix down to a spectral norm: ``G min(1, max_norm / σ_max(G))``.

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
    if xp is numpy:  # on a device the test would synchronise
        squares = float((gradient * gradient).sum())
        if squares <= max_norm**2 or not isfinite(squares):
            return gradient  # the Frobenius norm bounds the spectral norm; training reports inf
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
        All parameters, changed in place.
    gradient : (N,) float array
    shapes : dict of str to tuple of two int
        The matrices in the vectors, in their order.
    learning_rate, max_norm : float
    """
    params = by_name(theta, shapes)
    for name, g in by_name(gradient, shapes).items():
        params[name] -= learning_rate * clip_by_spectral_norm(xp, g, max_norm)
