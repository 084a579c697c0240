"""What a function and its backward pass owe, besides right numbers."""

from collections.abc import Callable

import numpy

from kvnet.backend import to_numpy

from .differentiable_function import DifferentiableFunction, on_device_of
from .gradient_error import GradientError


def sound_forward(function: DifferentiableFunction):
    """Run forward twice and check everything about it that needs no gradient.

    Returns
    -------
    output : array
    backward : callable
        Of the first run.

    Raises
    ------
    GradientError
        If forward changes an input, is not deterministic, or its output is no finite float array.
    """
    before = _copies(function.leaves)
    output, backward = function(function.leaves)
    _check_unchanged(function, before, "forward")
    if output.dtype.kind != "f":
        raise GradientError(f"the output is {output.dtype}, not float: nothing to differentiate")
    if not numpy.isfinite(output).all():
        worst = _first(~numpy.isfinite(output))
        raise GradientError(f"the forward pass returns {output[worst]} at {list(worst)}")
    again, _ = function(function.leaves)
    if again.shape != output.shape or not numpy.array_equal(again, output):
        raise GradientError(
            "the function is not deterministic: two forward passes on the same inputs differ; draw "
            "its random numbers outside, or seed them inside"
        )
    return output, backward


def sound_gradients(
    function: DifferentiableFunction, backward: Callable, d_output: numpy.ndarray
) -> list[numpy.ndarray]:
    """Run backward twice and check everything about the gradients but whether they are right.

    Parameters
    ----------
    function : DifferentiableFunction
    backward : callable
    d_output : array
        On the host.

    Returns
    -------
    gradients : list of array
        One a free leaf, on the host.

    Raises
    ------
    GradientError
        If one is None, no array, of the wrong shape or dtype, or not finite; if there are too few
        or too many; if backward changes an input or is not the same the second time.
    """
    before = _copies(function.leaves)
    given = as_incoming(function, d_output.copy())
    returned = function.gradients(backward(given))
    _check_unchanged(function, before, "backward")
    if not numpy.array_equal(to_numpy(given), d_output):
        raise GradientError("the backward pass changes the gradient of the output that it is given")
    gradients = [
        _sound_gradient(gradient, function.names[place], function.leaves[place])
        for gradient, place in zip(returned, function.free, strict=True)
    ]
    again = function.gradients(backward(as_incoming(function, d_output)))
    for gradient, second, place in zip(gradients, again, function.free, strict=True):
        if not numpy.array_equal(gradient, to_numpy(second)):
            raise GradientError(
                "the backward pass is not deterministic: called twice, it returns two gradients "
                f"of {function.names[place]}",
                function.names[place],
            )
    return gradients


def as_incoming(function: DifferentiableFunction, d_output: numpy.ndarray):
    """Return the output's gradient as backward takes it: on the inputs' device, or a number."""
    return on_device_of(function.leaves[function.free[0]], d_output)[()]


def _sound_gradient(gradient, name, x):
    if gradient is None:
        raise GradientError(f"the gradient of {name} is None", name)
    if not hasattr(gradient, "dtype"):
        raise GradientError(f"the gradient of {name} is no array but {gradient!r}", name)
    if gradient.shape != x.shape:
        raise GradientError(
            f"the gradient of {name} has shape {list(gradient.shape)}, its input {list(x.shape)}",
            name,
        )
    if gradient.dtype != x.dtype:
        raise GradientError(
            f"the gradient of {name} is {gradient.dtype}, its input {x.dtype}", name
        )
    gradient = numpy.array(to_numpy(gradient))  # a copy: backward may use the array again
    if not numpy.isfinite(gradient).all():
        worst = _first(~numpy.isfinite(gradient))
        raise GradientError(f"the gradient of {name} is {gradient[worst]} at {list(worst)}", name)
    return gradient


def _first(where):
    return tuple(int(place) for place in numpy.argwhere(where)[0])


def _copies(leaves):
    return [to_numpy(leaf).copy() if hasattr(leaf, "dtype") else leaf for leaf in leaves]


def _check_unchanged(function, before, which):
    for name, old, new in zip(function.names, before, function.leaves, strict=True):
        if hasattr(new, "dtype") and not numpy.array_equal(old, to_numpy(new)):
            raise GradientError(f"the {which} pass changes its input {name}", name)
