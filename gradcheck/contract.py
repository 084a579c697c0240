"""Requirements on the forward and backward pass, other than correct gradients."""

from collections.abc import Callable

import numpy

from kvnet.backend import to_numpy
from kvnet.gradcheck.differentiable_function import DifferentiableFunction
from kvnet.gradcheck.gradient_error import GradientError
from kvnet.gradcheck.nested_arrays import is_array


def check_forward(function: DifferentiableFunction) -> tuple[list[numpy.ndarray], Callable]:
    """Run forward twice and check its outputs, its determinism and that its inputs are unchanged.

    Parameters
    ----------
    function : DifferentiableFunction

    Returns
    -------
    outputs : list of array
        The checked outputs.
    backward : callable
        Both of the first run.

    Raises
    ------
    GradientError
        If forward changes an input, is not deterministic, or does not return finite float arrays.
    """
    before = _copies(function.leaves)
    outputs, backward = function(function.leaves)
    if function.outputs.takes_fewer_gradients():
        try:
            backward(*function.backward_arguments([numpy.ones_like(output) for output in outputs]))
        except (TypeError, ValueError, IndexError, KeyError):  # it may unpack a tuple
            outputs, backward = function.with_one_tuple(function.leaves)
    outputs = [numpy.array(output) for output in outputs]  # copies, of views of the inputs too
    _check_unchanged(function, before, "forward")
    for output, name in zip(outputs, function.outputs.names, strict=True):
        if not numpy.isfinite(output).all():
            index = _first_true(~numpy.isfinite(output))
            which = "" if name == "output" else f" of {name}"
            raise GradientError(f"the forward pass returns {output[index]} at {list(index)}{which}")
    again, _ = function(function.leaves)
    if len(again) != len(outputs) or not all(map(numpy.array_equal, again, outputs)):
        raise GradientError(
            "the function is not deterministic: two forward passes on the same inputs differ; draw "
            "its random numbers outside, or seed them inside"
        )
    return outputs, backward


def check_backward(
    function: DifferentiableFunction, backward: Callable, d_outputs: list[numpy.ndarray]
) -> list[numpy.ndarray]:
    """Run backward twice and check number, shape, dtype and determinism of the gradients.

    Parameters
    ----------
    function : DifferentiableFunction
    backward : callable
    d_outputs : list of array
        Gradient of each checked output, on the host.

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
    passed = function.backward_arguments([d_output.copy() for d_output in d_outputs])
    returned = function.flat_gradients(backward(*passed))
    _check_unchanged(function, before, "backward")
    unchanged = function.backward_arguments(d_outputs)
    if not all(_is_equal(a, b) for a, b in zip(passed, unchanged, strict=True)):
        raise GradientError("the backward pass changes its argument, the gradient of the output")
    gradients = [
        _checked_gradient(gradient, function.names[leaf_index], function.leaves[leaf_index])
        for gradient, leaf_index in zip(returned, function.differentiable, strict=True)
    ]
    again = function.gradients(backward, d_outputs)
    for gradient, second, leaf_index in zip(gradients, again, function.differentiable, strict=True):
        if not numpy.array_equal(gradient, to_numpy(second)):
            raise GradientError(
                "the backward pass is not deterministic: two calls return different gradients of "
                f"{function.names[leaf_index]}",
                function.names[leaf_index],
            )
    return gradients


def _checked_gradient(gradient, name, x):
    if gradient is None:
        raise GradientError(f"the gradient of {name} is None", name)
    if not is_array(gradient):
        raise GradientError(f"the gradient of {name} is not an array: {gradient!r}", name)
    if gradient.shape != x.shape:
        raise GradientError(
            f"the gradient of {name} has shape {list(gradient.shape)}, its input {list(x.shape)}",
            name,
        )
    if gradient.dtype.newbyteorder("=") != x.dtype.newbyteorder("="):
        raise GradientError(
            f"the gradient of {name} is {gradient.dtype}, its input {x.dtype}", name
        )
    gradient = numpy.array(to_numpy(gradient))  # a copy: backward may reuse the array
    if not numpy.isfinite(gradient).all():
        index = _first_true(~numpy.isfinite(gradient))
        raise GradientError(f"the gradient of {name} is {gradient[index]} at {list(index)}", name)
    return gradient.astype(gradient.dtype.newbyteorder("="), copy=False)


def _first_true(mask):
    return tuple(int(i) for i in numpy.argwhere(mask)[0])


def _copies(leaves):
    return [to_numpy(leaf).copy() if is_array(leaf) else leaf for leaf in leaves]


def _is_equal(a, b):
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_is_equal, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_is_equal(a[key], b[key]) for key in a)
    return a is None or numpy.array_equal(to_numpy(a), to_numpy(b))


def _check_unchanged(function, before, which):
    for name, old, new in zip(function.names, before, function.leaves, strict=True):
        if is_array(new) and not numpy.array_equal(old, to_numpy(new)):
            raise GradientError(f"the {which} pass changes its input {name}", name)
