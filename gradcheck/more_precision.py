"""A function in a higher precision than that of its inputs, in which its rounding errors show."""

from typing import NamedTuple

import numpy

from kvnet.backend import to_numpy
from kvnet.gradcheck.differentiable_function import DifferentiableFunction
from kvnet.gradcheck.moved_function import MovedFunction
from kvnet.gradcheck.progress import Progress
from kvnet.gradcheck.rounding import rounding_in

WIDER = ("longdouble", "float64")


class MorePrecise(NamedTuple):
    """A function and its gradients in a higher precision, at the same point.

    Attributes
    ----------
    moved : MovedFunction
    gradients : list of array
        As backward computes them in this precision, by differentiable leaf.
    errors : list of float64 array
        Rounding errors of these gradients.
    """

    moved: MovedFunction
    gradients: list[numpy.ndarray]
    errors: list[numpy.ndarray]


def more_precise(
    function: DifferentiableFunction,
    d_outputs: list[numpy.ndarray],
    progress: Progress,
    rng: numpy.random.Generator,
) -> MorePrecise | None:
    """Run a function and its backward pass in a higher precision.

    Where a function is saturated, a number such as ``1 - sigmoid(x)`` has a rounding error that is
    the same at all points nearby, so that no noise shows it. The same computation with more digits
    does.

    Parameters
    ----------
    function : DifferentiableFunction
    d_outputs : list of array
        The weights of the outputs.
    progress : Progress
    rng : numpy.random.Generator

    Returns
    -------
    found : MorePrecise or None
        None if the function does not accept such numbers or computes with fewer digits inside, or
        the machine has no such numbers.
    """
    usual = max((d.dtype for d in d_outputs), key=lambda dtype: numpy.finfo(dtype).eps)
    for dtype in WIDER:
        gained = float(numpy.finfo(dtype).eps / numpy.finfo(usual).eps)
        if gained >= 1:
            return None
        try:
            moved = MovedFunction(function, d_outputs, progress, dtype)
            outputs, backward = function(moved.leaves)
            gradients = function.gradients(backward, [d.astype(dtype) for d in d_outputs])
            gradients = [numpy.asarray(to_numpy(g)) for g in gradients]
        except Exception:  # it does not accept them
            continue
        # Without digits that the usual precision lacks, the function may compute in that one.
        has_more_digits = (moved.y.astype(usual) != moved.y).any()
        if has_more_digits and all(r.dtype == dtype for r in [*outputs, *gradients]):
            moved.measure_noise(rng)
            errors = rounding_in(usual.name, dtype, function, d_outputs, rng)
            return MorePrecise(moved, gradients, [gained * error for error in errors])
    return None
