"""Gradient descent with a bounded spectral norm of each matrix's gradient."""

from math import isfinite

import numpy

from kvnet.parameter_vector import by_name


def clip_by_spectral_norm(xp, gradient, max_norm: float):
    """Scale a matrix down to a spectral norm: ``G min(1, max_norm / σ_max(G))``.

    The spectral norm of a vector is its Euclidean norm.

    Parameters
    ----------
    xp : module
        Array module.
    gradient : (N, E) or (N,) float array
    max_norm : float

    Returns
    -------
    gradient : (N, E) or (N,) float array
    """
    if xp is numpy:  # on a device the test would synchronise
        squares = float((gradient * gradient).sum())
        if squares <= max_norm**2 or not isfinite(squares):
            return gradient  # the Frobenius norm bounds the spectral norm; training reports inf
    matrix = gradient.reshape(len(gradient), -1)  # a vector is one column
    largest = xp.linalg.eigvalsh(matrix.T @ matrix)[-1].astype("float64")
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
    shapes : dict of str to tuple of int
        The matrices, and vectors, that the vectors consist of, in their order.
    learning_rate, max_norm : float
    """
    params = by_name(theta, shapes)
    for name, g in by_name(gradient, shapes).items():
        params[name] -= learning_rate * clip_by_spectral_norm(xp, g, max_norm)
