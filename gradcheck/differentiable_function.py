"""A function that returns its backward pass, and which of its inputs have a gradient."""

import inspect
from collections.abc import Callable, Sequence

import numpy

from kvnet.backend import array_module_of, to_numpy
from kvnet.errors import InputError
from kvnet.gradcheck.gradient_error import GradientError
from kvnet.gradcheck.nested_arrays import is_array, named_leaves, with_leaves
from kvnet.gradcheck.outputs import Outputs


class DifferentiableFunction:
    """A function ``(*inputs) -> (output, ..., backward)`` as a function of its leaf arrays.

    Parameters
    ----------
    function : callable
    inputs : sequence
        Arrays, or lists, tuples and dicts of arrays; any other object is a constant.
    constants : sequence of str
        Names of float inputs for which backward returns no gradient.

    Attributes
    ----------
    input_names : list of str
        Name of each input.
    names : list of str
        Name of each leaf, such as ``x`` or ``params['A']``.
    leaves : list
    input_of_leaf : list of str
        Name of the input that each leaf is part of.
    differentiable : list of int
        Indices of the leaves that have a gradient: float arrays that are not constants.
    constants : dict of str to str
        Name and type of each of the other leaves.
    outputs : Outputs or None
        Which outputs are checked; None before the first call.

    Raises
    ------
    InputError
        If no input has a gradient, one is complex or not finite, or a constant's name is unknown.
    """

    def __init__(self, function: Callable, inputs: Sequence, constants: Sequence[str]):
        self.function, self.inputs = function, inputs
        self.input_names = _input_names(function, inputs)
        self.names, self.leaves, self.input_of_leaf = [], [], []
        self.differentiable, self.constants, self.outputs = [], {}, None
        for input_name, value in zip(self.input_names, inputs, strict=True):
            for name, leaf in named_leaves(value, input_name):
                leaf = numpy.asarray(leaf) if isinstance(leaf, numpy.generic) else leaf
                if not {name, input_name} & set(constants) and _has_gradient(name, leaf):
                    self.differentiable.append(len(self.names))
                else:
                    kind = str(leaf.dtype) if is_array(leaf) else type(leaf).__name__
                    self.constants[name] = kind
                self.names.append(name)
                self.leaves.append(leaf)
                self.input_of_leaf.append(input_name)
        if unknown := sorted(set(constants) - set(self.names) - set(self.input_names)):
            raise InputError(
                f"constants={unknown} are not inputs; the inputs are {', '.join(self.names)}"
            )
        if not self.differentiable:
            raise InputError(
                f"no input has a gradient (inputs: {', '.join(self.names) or 'none'}); pass at "
                "least one float array"
            )
        self._expected = list(dict.fromkeys(self.input_of_leaf[i] for i in self.differentiable))
        self._is_flat = len(self.leaves) == len(inputs) and not any(
            isinstance(value, list | tuple | dict) for value in inputs
        )

    def __call__(self, leaves: Sequence) -> tuple[list[numpy.ndarray], Callable]:
        """Run the forward pass on other leaves.

        Returns
        -------
        outputs : list of array
            The checked outputs, on the host.
        backward : callable
        """
        *values, backward = self._run(leaves)
        if self.outputs is None:
            self.outputs = Outputs(tuple(values), backward)
        return self.outputs.flat(values), backward

    def with_one_tuple(self, leaves: Sequence) -> tuple[list[numpy.ndarray], Callable]:
        """Run the forward pass; from now on, backward takes one tuple of all gradients."""
        *values, backward = self._run(leaves)
        self.outputs = Outputs(tuple(values), backward, one_tuple=True)
        return self.outputs.flat(values), backward

    def _run(self, leaves):
        if self._is_flat:
            result = self.function(*leaves)
        else:
            remaining = iter(leaves)
            result = self.function(*[with_leaves(value, remaining) for value in self.inputs])
        if not (isinstance(result, tuple) and len(result) >= 2 and callable(result[-1])):
            raise InputError(
                "the function returns no backward pass; it must return (output, ..., backward)"
            )
        return result

    def gradients(self, backward: Callable, d_outputs: list[numpy.ndarray]) -> list:
        """Run a backward pass.

        Parameters
        ----------
        backward : callable
        d_outputs : list of array
            Gradient of each checked output, on the host.

        Returns
        -------
        gradients : list
            One per differentiable leaf, as backward returned it.
        """
        return self.flat_gradients(backward(*self.backward_arguments(d_outputs)))

    def backward_arguments(self, d_outputs: list[numpy.ndarray]) -> list:
        """Return the arguments of backward, on the inputs' device, and 0-d gradients as scalars."""
        like = self.leaves[self.differentiable[0]]
        moved = [on_device_of(like, d_output)[()] for d_output in d_outputs]
        return self.outputs.backward_arguments(moved)

    def leaves_in(self, dtype: str) -> list:
        """Return the leaves with every float array cast to a dtype."""
        return [
            leaf.astype(dtype) if is_array(leaf) and leaf.dtype.kind == "f" else leaf
            for leaf in self.leaves
        ]

    def flat_gradients(self, returned) -> list:
        """Flatten the return value of backward into one gradient per differentiable leaf.

        Returns
        -------
        gradients : list
            As backward returned them, in the order of `differentiable`.

        Raises
        ------
        GradientError
            If there are too few or too many, or one is missing in a list or dict.
        """
        expected = self._expected
        only = self.inputs[self.input_names.index(expected[0])] if len(expected) == 1 else None
        if len(expected) == 1 and (not isinstance(returned, tuple) or isinstance(only, tuple)):
            returned = (returned,)
        count = len(returned) if isinstance(returned, tuple | list) else 1
        if count != len(expected):
            raise GradientError(
                f"the backward pass returns {_counted(count)}, but {_counted(len(expected))} "
                f"{'is' if len(expected) == 1 else 'are'} expected: {', '.join(expected)}"
            )
        by_name = dict(
            leaf
            for input_name, part in zip(expected, returned, strict=True)
            for leaf in named_leaves(part, input_name)
        )
        names = [self.names[i] for i in self.differentiable]
        missing = [name for name in names if name not in by_name]
        if missing:
            raise GradientError(
                f"the backward pass returns no gradient of {', '.join(missing)}", missing[0]
            )
        return [by_name[name] for name in names]


def _counted(count):
    return "1 gradient" if count == 1 else f"{count} gradients"


def on_device_of(like, array: numpy.ndarray):
    """Convert a host array to an array of the module (NumPy, CuPy) of `like`."""
    return array_module_of(like).asarray(array)


def _input_names(function, inputs):
    try:
        signature = inspect.signature(function)
        bound = signature.bind(*inputs).arguments
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the function cannot be called with these {len(inputs)} inputs: {error}"
        ) from None
    names = []
    for name, value in bound.items():
        starred = signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
        names += [f"{name}[{index}]" for index in range(len(value))] if starred else [name]
    return names


def _has_gradient(name, leaf):
    if not is_array(leaf) or leaf.dtype.kind not in "fc":
        return False
    if leaf.dtype.name not in ("float32", "float64"):
        raise InputError(
            f"{name} is {leaf.dtype}; only gradients of float32 and float64 arrays can be checked"
        )
    if not numpy.isfinite(to_numpy(leaf)).all():
        raise InputError(f"{name} contains values that are not finite; pass finite values")
    return True
