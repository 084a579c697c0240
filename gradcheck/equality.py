"""Check a fused kernel against the textbook operation that it replaces."""

from collections.abc import Callable, Mapping, Sequence

import numpy

from kvnet.gradcheck.check_gradients import cancellation_floors, raise_if_wrong
from kvnet.gradcheck.contract import check_backward, check_forward
from kvnet.gradcheck.differentiable_function import DifferentiableFunction
from kvnet.gradcheck.gradient_error import GradientError
from kvnet.gradcheck.report import THE_OUTPUT, CheckedInput, Report
from kvnet.gradcheck.rounding import rounding_tolerances


def check_equality(
    kernel: Callable,
    textbook: Callable,
    *inputs,
    constants: Sequence[str] = (),
    scale: float | Mapping[str, float] = 0.0,
    seed: int = 0,
) -> Report:
    """Check that two functions have the same output and the same gradients, up to rounding.

    Parameters
    ----------
    kernel, textbook : callable
        As for `check_gradients`.
    *inputs, constants, scale, seed
        As for `check_gradients`.

    Returns
    -------
    report : Report
        The first row is the output, under the name ``the output``.

    Raises
    ------
    GradientError
        If they differ, or one of them breaks a rule of `check_gradients`.
    """
    rng = numpy.random.default_rng(seed)
    results, tolerances, d_output = [], [], None
    for function in (textbook, kernel):
        wrapped = DifferentiableFunction(function, inputs, constants)
        output, backward = check_forward(wrapped)
        if d_output is None:
            d_output = numpy.asarray(rng.standard_normal(output.shape), output.dtype)
        elif (output.shape, output.dtype) != (d_output.shape, d_output.dtype):
            raise GradientError(
                f"the output is {output.dtype}{list(output.shape)}, the textbook operation's "
                f"{d_output.dtype}{list(d_output.shape)}"
            )
        results.append([output, *check_backward(wrapped, backward, d_output)])
        floors = [0.0, *cancellation_floors(wrapped, scale, d_output).values()]
        tolerances.append(rounding_tolerances(wrapped, results[-1], d_output, floors, rng))
    names = [THE_OUTPUT, *(wrapped.names[leaf_index] for leaf_index in wrapped.differentiable)]
    checked = [
        _compare_arrays(name, *pair, sum(bounds), floor)
        for name, pair, bounds, floor in zip(
            names,
            zip(*results, strict=True),
            zip(*tolerances, strict=True),
            floors,
            strict=True,
        )
    ]
    report = Report(checked, wrapped.constants)
    raise_if_wrong(report)
    return report


def _compare_arrays(name, expected, actual, bound, floor):
    checked = CheckedInput(name, actual.shape, actual.dtype.name, "equality", actual.size)
    differences = actual.astype("float64") - expected
    checked.norm = float(numpy.linalg.norm(expected))
    checked.zeros = int(((actual == 0) & (expected == 0)).sum())
    difference = float(numpy.linalg.norm(differences))
    checked.size = size = max(checked.norm, floor) or difference or 1.0
    checked.error, checked.tolerance = difference / size, bound / size
    if not difference <= bound:
        index = numpy.unravel_index(abs(differences).argmax(), differences.shape)
        checked.index = tuple(int(i) for i in index)
        checked.analytic, checked.numeric = float(actual[index]), float(expected[index])
        checked.fault = (
            f"not equal to the textbook operation's at {list(checked.index)}: "
            f"{checked.analytic:.17g} instead of {checked.numeric:.17g}; error "
            f"{checked.error:.1e}, tolerance {checked.tolerance:.1e}, relative to the whole array"
        )
    return checked
