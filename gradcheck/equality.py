"""A fused kernel against the textbook operation that it stands for."""

from collections.abc import Callable, Mapping, Sequence

import numpy

from .check_gradients import floors_of, raise_worst
from .contract import sound_forward, sound_gradients
from .differentiable_function import DifferentiableFunction
from .gradient_error import GradientError
from .report import THE_OUTPUT, CheckedInput, Report
from .rounding import rounding_tolerances


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
        The output stands first, under the name ``the output``.

    Raises
    ------
    GradientError
        If they differ, or one of them breaks a rule of `check_gradients`.
    """
    rng = numpy.random.default_rng(seed)
    results, tolerances, d_output = [], [], None
    for function in (textbook, kernel):
        taken = DifferentiableFunction(function, inputs, constants)
        output, backward = sound_forward(taken)
        if d_output is None:
            d_output = numpy.asarray(rng.standard_normal(output.shape), output.dtype)
        elif (output.shape, output.dtype) != (d_output.shape, d_output.dtype):
            raise GradientError(
                f"the output is {output.dtype}{list(output.shape)}, the textbook operation's "
                f"{d_output.dtype}{list(d_output.shape)}"
            )
        results.append([output, *sound_gradients(taken, backward, d_output)])
        floors = [0.0, *floors_of(taken, scale, d_output).values()]
        tolerances.append(rounding_tolerances(taken, results[-1], d_output, floors, rng))
    names = [THE_OUTPUT, *(taken.names[place] for place in taken.free)]
    checked = [
        _compared(name, *pair, sum(allowed), floor)
        for name, pair, allowed, floor in zip(
            names,
            zip(*results, strict=True),
            zip(*tolerances, strict=True),
            floors,
            strict=True,
        )
    ]
    report = Report(checked, taken.held)
    raise_worst(report)
    return report


def _compared(name, expected, found, allowed, floor):
    checked = CheckedInput(name, found.shape, found.dtype.name, "equality", found.size)
    apart = found.astype("float64") - expected
    checked.norm = float(numpy.linalg.norm(expected))
    checked.zeros = int(((found == 0) & (expected == 0)).sum())
    difference = float(numpy.linalg.norm(apart))
    checked.size = size = max(checked.norm, floor) or difference or 1.0
    checked.error, checked.tolerance = difference / size, allowed / size
    if not difference <= allowed:
        index = numpy.unravel_index(abs(apart).argmax(), apart.shape)
        checked.index = tuple(int(i) for i in index)
        checked.analytic, checked.numeric = float(found[index]), float(expected[index])
        checked.fault = (
            f"not the textbook operation's at {list(checked.index)}: {checked.analytic:.17g} "
            f"against {checked.numeric:.17g}; error {checked.error:.1e}, tolerance "
            f"{checked.tolerance:.1e}, relative to the whole of it"
        )
    return checked
