"""The outputs of a function: which of them are checked, and what its backward pass takes."""

import inspect
from collections.abc import Callable

import numpy

from kvnet.backend import to_numpy
from kvnet.gradcheck.gradient_error import GradientError
from kvnet.gradcheck.nested_arrays import is_array, named_leaves, with_leaves


class Outputs:
    """The outputs ``(output, ..., backward)`` of a function, and how backward takes gradients.

    Backward takes one gradient per returned value, of the same structure. If it takes one only,
    that is the gradient of the first value.

    Parameters
    ----------
    values : tuple
        The returned values without the backward pass.
    backward : callable
    one_tuple : bool
        Whether backward takes one tuple of the gradients of all values.

    Attributes
    ----------
    names : list of str
        Name of each checked output: an array of floats, however it is nested.
    unchecked : dict of str to str
        Name of each other output, and the reason why it is not checked.

    Raises
    ------
    GradientError
        If no output is an array of floats, or backward takes another number of gradients.
    """

    def __init__(self, values: tuple, backward: Callable, one_tuple: bool = False):
        self._one_tuple = one_tuple
        self._values = (values,) if one_tuple else values
        names = ["output"] if len(values) == 1 else [f"output[{i}]" for i in range(len(values))]
        parts = [named_leaves(v, n) for v, n in zip(values, names, strict=True)]
        with_gradient = [i for i, part in enumerate(parts) if any(_is_float(x) for _, x in part)]
        if not with_gradient:
            kinds = ", ".join(_kind(leaf) for part in parts for _, leaf in part)
            raise GradientError(f"the output is {kinds or 'empty'}, not float; it has no gradient")
        # Indices of the values whose gradients are arguments of backward. None: the only value is
        # a tuple, and its parts are the arguments.
        self._arguments = [0] if one_tuple else _arguments(self._values, backward, with_gradient)
        checked = with_gradient if one_tuple or self._arguments is None else self._arguments
        self.names, self.unchecked, self._checked, self._total = [], {}, [], 0
        for i, part in enumerate(parts):
            for name, leaf in part:
                if _is_float(leaf) and i in checked:
                    self.names.append(name)
                    self._checked.append(self._total)
                elif _is_float(leaf):
                    self.unchecked[name] = "backward takes no gradient of it"
                else:
                    self.unchecked[name] = _kind(leaf)
                self._total += 1

    def takes_fewer_gradients(self) -> bool:
        """Return whether backward takes the gradient of the first of several float outputs only."""
        return any("backward" in reason for reason in self.unchecked.values())

    def flat(self, values: tuple) -> list[numpy.ndarray]:
        """Return the checked outputs among the values that the function returns, on the host."""
        if len(values) == 1 and is_array(values[0]):
            return [to_numpy(values[0])]
        leaves = [leaf for value in values for _, leaf in named_leaves(value, "")]
        return [to_numpy(leaves[position]) for position in self._checked]

    def backward_arguments(self, gradients: list) -> list:
        """Return the arguments of backward for a gradient of each checked output.

        Outputs that are not checked get None.
        """
        by_position = dict(zip(self._checked, gradients, strict=True))
        leaves = iter([by_position.get(position) for position in range(self._total)])
        parts = [with_leaves(value, leaves) for value in self._values]
        return list(parts[0]) if self._arguments is None else [parts[i] for i in self._arguments]


def _arguments(values, backward, with_gradient):
    required, most = _argument_counts(backward)
    for indices in (list(range(len(values))), with_gradient, with_gradient[:1]):
        if required <= len(indices) <= most:
            return indices
    first = values[0]
    if len(values) == 1 and isinstance(first, list | tuple) and required <= len(first) <= most:
        return None
    raise GradientError(
        f"the backward pass takes {required or most} gradients, but the function returns "
        f"{len(values)} output{'s' if len(values) > 1 else ''}; it must take one per output"
    )


def _argument_counts(backward):
    try:
        parameters = inspect.signature(backward).parameters.values()
    except (TypeError, ValueError):  # a built-in function
        return 1, 1
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = sum(p.default is p.empty for p in positional)
    starred = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return required, float("inf") if starred else len(positional)


def _is_float(leaf):
    return isinstance(leaf, float) or (is_array(leaf) and leaf.dtype.kind == "f")


def _kind(leaf):
    return str(leaf.dtype) if is_array(leaf) else type(leaf).__name__
