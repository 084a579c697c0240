"""Gradients by central differences."""

from collections.abc import Callable

import numpy

STEP = 1e-5  # near the cube root of float64's epsilon, where truncation and rounding errors meet


def numerical_gradient(loss: Callable[[], float], x: numpy.ndarray) -> numpy.ndarray:
    """Differentiate a number by every entry of an array: ``(L(x + h) - L(x - h)) / 2h``.

    Parameters
    ----------
    loss : callable
        Computes the number from `x`, which it refers to.
    x : float64 array
        Changed in place, entry by entry, and put back.

    Returns
    -------
    gradient : float64 array of x's shape
    """
    gradient = numpy.zeros_like(x)
    for index in numpy.ndindex(x.shape):
        before = x[index]
        x[index] = before + STEP
        above = loss()
        x[index] = before - STEP
        below = loss()
        x[index] = before
        gradient[index] = (above - below) / (2 * STEP)
    return gradient


def gradient_errors(operation: Callable, inputs: list[numpy.ndarray], seed: int = 0) -> list[float]:
    """Check an operation's backward pass against central differences.

    The output is multiplied by random numbers and summed, so that every entry of it counts.

    Parameters
    ----------
    operation : callable
        Takes `inputs` and returns ``(output, ..., backward)``; ``backward(d_output)`` returns one
        gradient an input, or the gradient itself where there is one input.
    inputs : list of float64 array
    seed : int
        Of the random numbers.

    Returns
    -------
    errors : list of float
        ``‖analytic - numerical‖ / ‖numerical‖`` for each input.
    """
    output, *_, backward = operation(*inputs)
    d_output = numpy.random.default_rng(seed).standard_normal(numpy.shape(output))
    gradients = backward(d_output)
    if len(inputs) == 1:
        gradients = (gradients,)

    def loss():
        return float((operation(*inputs)[0] * d_output).sum())

    errors = []
    for x, gradient in zip(inputs, gradients, strict=True):
        numerical = numerical_gradient(loss, x)
        scale = numpy.linalg.norm(numerical) or 1.0
        errors.append(float(numpy.linalg.norm(gradient - numerical) / scale))
    return errors
