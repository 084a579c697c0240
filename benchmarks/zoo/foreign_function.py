"""A function of another framework in the form that gradcheck takes, and wrong forms of it."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy

WRONG = ("times 1 + 1e-7", "one sign", "one zero", "transposed")


@dataclass
class ForeignFunction:
    """A function of another framework at one point, with its gradients.

    Attributes
    ----------
    name : str
        Framework, function and number of the sample.
    forward : callable
        ``(*arrays) -> output``; arrays and output are NumPy's, of float64 or all complex128.
    gradients : callable
        ``(arrays, d_output) -> list of arrays``, the framework's own gradients.
    inputs : list of array
        In float64.
    """

    name: str
    forward: Callable
    gradients: Callable
    inputs: list

    @property
    def seed(self) -> int:
        """A seed that depends on the name only."""
        return zlib.crc32(self.name.encode())

    def depends_on_inputs(self) -> bool:
        """Return whether some gradient is not zero, and the output is of float64."""
        output = self.forward(*self.inputs)
        d_output = numpy.random.default_rng(self.seed).standard_normal(output.shape)
        right = self.gradients(self.inputs, d_output)
        return output.dtype == "float64" and any(g.any() for g in right)

    def in_gradcheck_form(self, change: Callable | None = None) -> Callable:
        """Return the function ``(*inputs) -> (output, backward)``.

        Parameters
        ----------
        change : callable, optional
            Maps the list of right gradients to wrong ones.
        """

        def function(*inputs):
            def backward(d_output):
                gradients = self.gradients(inputs, numpy.asarray(d_output))
                gradients = change(gradients) if change else gradients
                return tuple(gradients) if len(gradients) > 1 else gradients[0]

            return self.forward(*inputs), backward

        return function


def wrong_forms(function: ForeignFunction, gradients: list) -> dict[str, Callable]:
    """Return the ways to make the gradients wrong that change them.

    Parameters
    ----------
    function : ForeignFunction
    gradients : list of array
        Right gradients, for some d_output.

    Returns
    -------
    changes : dict of str to callable
        By the names in `WRONG`; each maps the list of right gradients to wrong ones.
    """
    rng = numpy.random.default_rng(function.seed)
    places = [(i, tuple(index)) for i, g in enumerate(gradients) for index in numpy.argwhere(g)]
    square = [i for i, g in enumerate(gradients) if g.ndim == 2 and g.shape[0] == g.shape[1]]
    square = [i for i in square if not numpy.array_equal(gradients[i], gradients[i].T)]
    if not places:
        return {}
    sign, zero = (places[rng.integers(len(places))] for _ in range(2))

    def all_larger(right):
        return [g * (1 + 1e-7) for g in right]

    def one_times(place, factor):
        def change(right):
            wrong = [numpy.array(g) for g in right]
            wrong[place[0]][place[1]] *= factor
            return wrong

        return change

    def transposed(right):
        return [numpy.array(g.T) if i == square[0] else g for i, g in enumerate(right)]

    changes = [all_larger, one_times(sign, -1.0), one_times(zero, 0.0), transposed]
    return dict(zip(WRONG, changes if square else changes[:3], strict=False))
