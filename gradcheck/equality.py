"""Check a fused kernel against the textbook operation that it replaces."""

from collections.abc import Callable, Mapping, Sequence

import numpy

from kvnet.backend import to_numpy
from kvnet.gradcheck.check_gradients import (
    cancellation_scales,
    draw_weights,
    norm_of_all,
    raise_if_wrong,
)
from kvnet.gradcheck.contract import check_backward, check_forward
from kvnet.gradcheck.differentiable_function import DifferentiableFunction
from kvnet.gradcheck.gradient_error import GradientError
from kvnet.gradcheck.moved_function import scales_of
from kvnet.gradcheck.norms import norm
from kvnet.gradcheck.random_numbers import generator
from kvnet.gradcheck.report import THE_OUTPUT, CheckedInput, Report
from kvnet.gradcheck.rounding import bound, noise_of_results


def check_equality(
    kernel: Callable,
    textbook: Callable,
    *inputs,
    constants: Sequence[str] = (),
    scale: float | Mapping[str, float] = 0.0,
    seed: int = 0,
) -> Report:
    """Check that two functions have the same outputs and the same gradients, up to rounding.

    Parameters
    ----------
    kernel, textbook : callable
        As for `check_gradients`.
    *inputs, constants, scale, seed
        As for `check_gradients`.

    Returns
    -------
    report : Report
        The first rows are the outputs that backward takes a gradient of; a single one has the name
        ``the output``.

    Raises
    ------
    GradientError
        If they differ, or one of them breaks a rule of `check_gradients`.
    """
    rng = generator(seed)
    results, bounds, d_outputs = [], [], None
    for function in (textbook, kernel):
        wrapped = DifferentiableFunction(function, inputs, constants)
        scales = cancellation_scales(wrapped, scale)
        outputs, backward = check_forward(wrapped)
        if d_outputs is None:
            d_outputs = draw_weights(outputs, rng)
        elif _kinds(outputs) != _kinds(d_outputs):
            raise GradientError(
                f"the output is {_kinds(outputs)}, the textbook operation's {_kinds(d_outputs)}"
            )
        results.append([*outputs, *check_backward(wrapped, backward, d_outputs)])
        floors = [0.0] * len(outputs) + [s * norm_of_all(d_outputs) for s in scales.values()]
        terms = [
            max(each) for each in zip(floors, _terms(wrapped, outputs, d_outputs), strict=True)
        ]
        noise = noise_of_results(wrapped, results[-1], d_outputs, rng)
        each = zip(results[-1], noise, terms, strict=True)
        bounds.append([bound(r, n, abs(r.astype("float64")), t).norm for r, n, t in each])
    names = [f"{THE_OUTPUT}{n.removeprefix('output')}" for n in wrapped.outputs.names]
    names = names if len(names) > 1 else [THE_OUTPUT]
    names += [wrapped.names[leaf_index] for leaf_index in wrapped.differentiable]
    checked = [
        _compare_arrays(name, *pair, sum(pair_of_bounds), floor)
        for name, pair, pair_of_bounds, floor in zip(
            names,
            zip(*results, strict=True),
            zip(*bounds, strict=True),
            floors,
            strict=True,
        )
    ]
    report = Report(checked, wrapped.constants, wrapped.outputs.unchecked)
    raise_if_wrong(report)
    return report


def _terms(function, outputs, d_outputs):
    """Estimate the size of the terms that may cancel in each result; 0 for the outputs.

    A gradient that is 0 because its terms cancel keeps their rounding errors, in one form of the
    computation and perhaps not in the other.
    """
    total = norm(
        [norm_of_all(d_outputs), *(norm(d * y) for d, y in zip(d_outputs, outputs, strict=True))]
    )
    leaves = [scales_of(to_numpy(function.leaves[i])) for i in function.differentiable]
    return [0.0] * len(outputs) + [
        total / float(numpy.median(scales)) if scales.size else 0.0 for scales in leaves
    ]


def _kinds(arrays):
    return ", ".join(f"{array.dtype}{list(array.shape)}" for array in arrays)


def _compare_arrays(name, expected, actual, bound, floor):
    checked = CheckedInput(name, actual.shape, actual.dtype.name, "equality", actual.size)
    differences = actual.astype("float64") - expected
    checked.norm = norm(expected)
    checked.zeros = int(((actual == 0) & (expected == 0)).sum())
    difference = norm(differences)
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
