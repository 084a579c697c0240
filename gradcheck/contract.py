"""Requirements on the forward and backward pass, other than correct gradients."""

from collections.abc import Callable

import numpy

from kvnet.backend import to_numpy
from kvnet.gradcheck.differentiable_function import DifferentiableFunction, on_device_of
from kvnet.gradcheck.gradient_error import GradientError


def check_forward(function: DifferentiableFunction):
    """Run forward twice and check its output, its determinism and that its inputs are unchanged.

    Parameters
    ----------
    function : DifferentiableFunction

    Returns
    -------
    output : array
    backward : callable
        Both of the first run.

    Raises
    ------
    GradientError
        If forward changes an input, is not deterministic, or does not return a finite float array.
    """
    before = _copies(function.leaves)
    output, backward = function(function.leaves)
    _check_unchanged(function, before, "forward")
    if output.dtype.kind != "f":
        raise GradientError(f"the output is {output.dtype}, not float; it has no gradient")
    if not numpy.isfinite(output).all():
        index = _first_true(~numpy.isfinite(output))
        raise GradientError(f"the forward pass returns {output[index]} at {list(index)}")
    again, _ = function(function.leaves)
    if again.shape != output.shape or not numpy.array_equal(again, output):
        raise GradientError(
            "the function is not deterministic: two forward passes on the same inputs differ; draw "
            "its random numbers outside, or seed them inside"
        )
    return output, backward


def check_backward(
    function: DifferentiableFunction, backward: Callable, d_output: numpy.ndarray
) -> list[numpy.ndarray]:
    """Run backward twice and check number, shape, dtype and determinism of the gradients.

    Parameters
    ----------
    function : DifferentiableFunction
    backward : callable
    d_output : array
        On the host.

    Returns
    -------
    gradients : list of array
        One per differentiable leaf, on the host.

    Raises
    ------
    GradientError
        If a gradient is None, not an array, of the wrong shape or dtype, or not finite; if there
        are too few or too many; if backward changes an input or differs between the two runs.
    """
    before = _copies(function.leaves)
    passed = backward_argument(function, d_output.copy())
    returned = function.flat_gradients(backward(passed))
    _check_unchanged(function, before, "backward")
    if not numpy.array_equal(to_numpy(passed), d_output):
        raise GradientError("the backward pass changes its argument, the gradient of the output")
    gradients = [
        _checked_gradient(gradient, function.names[leaf_index], function.leaves[leaf_index])
        for gradient, leaf_index in zip(returned, function.differentiable, strict=True)
    ]
    again = function.flat_gradients(backward(backward_argument(function, d_output)))
    for gradient, second, leaf_index in zip(gradients, again, function.differentiable, strict=True):
        if not numpy.array_equal(gradient, to_numpy(second)):
            raise GradientError(
                "the backward pass is not deterministic: two calls return different gradients of "
                f"{function.names[leaf_index]}",
                function.names[leaf_index],
            )
    return gradients


def backward_argument(function: DifferentiableFunction, d_output: numpy.ndarray):
    """Return the output's gradient on the inputs' device, and as a scalar if it is 0-d."""
    return on_device_of(function.leaves[function.differentiable[0]], d_output)[()]


def _checked_gradient(gradient, name, x):
    if gradient is None:
        raise GradientError(f"the gradient of {name} is None", name)
    if not hasattr(gradient, "dtype"):
        raise GradientError(f"the gradient of {name} is not an array: {gradient!r}", name)
    if gradient.shape != x.shape:
        raise GradientError(
            f"the gradient of {name} has shape {list(gradient.shape)}, its input {list(x.shape)}",
            name,
        )
    if gradient.dtype != x.dtype:
        raise GradientError(
            f"the gradient of {name} is {gradient.dtype}, its input {x.dtype}", name
        )
    gradient = numpy.array(to_numpy(gradient))  # a copy: backward may reuse the array
    if not numpy.isfinite(gradient).all():
        index = _first_true(~numpy.isfinite(gradient))
        raise GradientError(f"the gradient of {name} is {gradient[index]} at {list(index)}", name)
    return gradient


def _first_true(mask):
    return tuple(int(i) for i in numpy.argwhere(mask)[0])


def _copies(leaves):
    return [to_numpy(leaf).copy() if hasattr(leaf, "dtype") else leaf for leaf in leaves]


def _check_unchanged(function, before, which):
    for name, old, new in zip(function.names, before, function.leaves, strict=True):
        if hasattr(new, "dtype") and not numpy.array_equal(old, to_numpy(new)):
            raise GradientError(f"the {which} pass changes its input {name}", name)
