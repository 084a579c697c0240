"""A function that returns its backward pass, and which of its inputs have a gradient."""

import inspect
import sys
from collections.abc import Callable, Sequence

import numpy

from kvnet.backend import to_numpy
from kvnet.errors import InputError

from .gradient_error import GradientError
from .nested_arrays import named_leaves, with_leaves


class DifferentiableFunction:
    """A function ``(*inputs) -> (output, ..., backward)`` with its inputs taken apart into arrays.

    Parameters
    ----------
    function : callable
    inputs : sequence
        Arrays, or lists, tuples and dicts of arrays; anything else is a constant.
    constants : sequence of str
        Names of float inputs that backward returns no gradient for.

    Attributes
    ----------
    names : list of str
        Of every leaf, such as ``x`` or ``params['A']``.
    leaves : list
    free : list of int
        Places of the leaves that have a gradient: arrays of floats that are no constants.
    held : dict of str to str
        The names of the other leaves, and what they are.

    Raises
    ------
    InputError
        If no input has a gradient, one is complex or not finite, or a constant's name is unknown.
    """

    def __init__(self, function: Callable, inputs: Sequence, constants: Sequence[str]):
        self.function, self.inputs = function, inputs
        self.slots = _input_names(function, inputs)
        self.names, self.leaves, self.free, self.held, self.slot_of = [], [], [], {}, []
        for slot, value in zip(self.slots, inputs, strict=True):
            for name, leaf in named_leaves(value, slot):
                leaf = numpy.asarray(leaf) if isinstance(leaf, numpy.generic) else leaf
                if not {name, slot} & set(constants) and _has_gradient(name, leaf):
                    self.free.append(len(self.names))
                else:
                    self.held[name] = str(leaf.dtype) if _is_array(leaf) else type(leaf).__name__
                self.names.append(name)
                self.leaves.append(leaf)
                self.slot_of.append(slot)
        if unknown := sorted(set(constants) - set(self.names) - set(self.slots)):
            raise InputError(f"constants={unknown} are no inputs; they are {', '.join(self.names)}")
        if not self.free:
            raise InputError(
                f"no input has a gradient ({', '.join(self.names) or 'there is none'}); give at "
                "least one array of floats"
            )

    def __call__(self, leaves: Sequence) -> tuple:
        """Run forward on other leaves.

        Returns
        -------
        output : array
            The first that the function returns, on the host.
        backward : callable
        """
        taken = iter(leaves)
        result = self.function(*[with_leaves(value, taken) for value in self.inputs])
        if not (isinstance(result, tuple) and len(result) >= 2 and callable(result[-1])):
            raise InputError(
                "the function returns no backward pass; it has to return (output, ..., backward)"
            )
        return to_numpy(result[0]), result[-1]

    def widened(self) -> list:
        """Return the leaves with every array of floats in float64."""
        return [
            leaf.astype("float64") if _is_array(leaf) and leaf.dtype.kind == "f" else leaf
            for leaf in self.leaves
        ]

    def gradients(self, returned) -> list:
        """Match what backward returned with the free leaves.

        Returns
        -------
        gradients : list
            One a free leaf, as it was returned.

        Raises
        ------
        GradientError
            If there are too few or too many, or a list or dict lacks some.
        """
        due = list(dict.fromkeys(self.slot_of[place] for place in self.free))
        only = self.inputs[self.slots.index(due[0])] if len(due) == 1 else None
        if len(due) == 1 and (not isinstance(returned, tuple) or isinstance(only, tuple)):
            returned = (returned,)
        count = len(returned) if isinstance(returned, tuple | list) else 1
        if count != len(due):
            raise GradientError(
                f"the backward pass returns {_counted(count)} where {_counted(len(due))} "
                f"{'is' if len(due) == 1 else 'are'} due: {', '.join(due)}"
            )
        found = dict(
            leaf
            for slot, part in zip(due, returned, strict=True)
            for leaf in named_leaves(part, slot)
        )
        missing = [self.names[place] for place in self.free if self.names[place] not in found]
        if missing:
            raise GradientError(
                f"the backward pass returns no gradient of {', '.join(missing)}", missing[0]
            )
        return [found[self.names[place]] for place in self.free]


def _counted(number):
    return "1 gradient" if number == 1 else f"{number} gradients"


def on_device_of(like, array: numpy.ndarray):
    """Return a host array as an array of the module (NumPy, CuPy) that `like` belongs to."""
    return sys.modules[type(like).__module__.partition(".")[0]].asarray(array)


def _input_names(function, inputs):
    try:
        signature = inspect.signature(function)
        bound = signature.bind(*inputs).arguments
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the function does not take these {len(inputs)} inputs: {error}"
        ) from None
    names = []
    for name, value in bound.items():
        starred = signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
        names += [f"{name}[{place}]" for place in range(len(value))] if starred else [name]
    return names


def _is_array(leaf):
    return hasattr(leaf, "dtype") and hasattr(leaf, "shape")


def _has_gradient(name, leaf):
    if not _is_array(leaf) or leaf.dtype.kind not in "fc":
        return False
    if leaf.dtype.name not in ("float32", "float64"):
        raise InputError(f"{name} is {leaf.dtype}; gradients are checked of float32 and float64")
    if not numpy.isfinite(to_numpy(leaf)).all():
        raise InputError(f"{name} holds numbers that are not finite; give it others")
    return True
