"""Check a function's backward pass against numeric derivatives."""

from collections.abc import Callable, Mapping, Sequence

import numpy

from kvnet.errors import InputError
from kvnet.gradcheck.comparison import compare
from kvnet.gradcheck.contract import check_backward, check_forward
from kvnet.gradcheck.differentiable_function import DifferentiableFunction
from kvnet.gradcheck.gradient_error import GradientError
from kvnet.gradcheck.report import THE_OUTPUT, Report
from kvnet.gradcheck.rounding import rounding_tolerances
from kvnet.gradcheck.weighted_output import WeightedOutput

METHODS = ("complex_step", "central_differences", "random_directions")


def check_gradients(
    function: Callable,
    *inputs,
    method: str = "complex_step",
    constants: Sequence[str] = (),
    scale: float | Mapping[str, float] = 0.0,
    seed: int = 0,
) -> Report:
    """Check the gradients of a function, and raise an error if one is wrong.

    The output is multiplied by random weights and summed, so that every entry of it counts. The
    gradient of that sum with respect to each input is compared with what backward returns.
    Derivatives are computed in float64 for any dtype of the inputs, so float32 gradients are
    compared with float64 derivatives.

    Parameters
    ----------
    function : callable
        Takes the inputs and returns ``(output, ..., backward)``. ``backward(d_output)`` returns a
        tuple with one gradient per differentiable input, in their order, or the gradient itself if
        there is only one such input.
    *inputs
        Float arrays, or lists, tuples and dicts of them, whose gradient then has the same
        structure. Integers, masks, Python scalars and None are held constant.
    method : {"complex_step", "central_differences", "random_directions"}
        A complex step is exact almost to machine precision and needs a forward pass that accepts
        complex numbers. Central differences work with any forward pass. Random directions need only
        a few forward passes for an input of any size; they use a complex step where possible.
    constants : sequence of str
        Names of float inputs for which backward returns no gradient.
    scale : float or dict of str to float
        Size of the terms of the gradient, per unit of the output's gradient, where these terms
        cancel; one value for all inputs, or by name. It is 1 for a saturated softmax, whose
        gradient is a difference of numbers near 1. Errors are then relative to
        ``max(‖gradient‖, scale ‖d_output‖)``: relative to the gradient, the tolerance grows with
        the condition number of the difference.
    seed : int
        Seed of the random weights, directions and steps.

    Returns
    -------
    report : Report
        The comparison of each input, and the inputs that were held constant.

    Raises
    ------
    GradientError
        If a gradient is wrong or missing, forward is not deterministic or changes its inputs, or
        the method cannot be used on it. The message names the input and the worst entry.
    InputError
        If there is nothing to check or the method is unknown.
    """
    if method not in METHODS:
        raise InputError(f"method={method!r} is unknown; choose one of {', '.join(METHODS)}")
    rng = numpy.random.default_rng(seed)
    wrapped = DifferentiableFunction(function, inputs, constants)
    output, backward = check_forward(wrapped)
    d_output = numpy.asarray(rng.standard_normal(output.shape), output.dtype)
    gradients = check_backward(wrapped, backward, d_output)
    floors = cancellation_floors(wrapped, scale, d_output)
    results = [output, *gradients]
    _, *roundings = rounding_tolerances(wrapped, results, d_output, [0.0, *floors.values()], rng)
    loss = WeightedOutput(wrapped, d_output, floors, rng)
    if method == "complex_step" and loss.complex_step_fault is not None:
        raise GradientError(
            f"the forward pass does not accept complex numbers ({loss.complex_step_fault}); make "
            "it accept them, or use method='central_differences'"
        )
    has_kink = loss.has_kink(rng)
    checked = [
        compare(loss, leaf_index, gradient, rounding, has_kink, method, rng)
        for leaf_index, gradient, rounding in zip(
            wrapped.differentiable, gradients, roundings, strict=True
        )
    ]
    report = Report(checked, wrapped.constants)
    raise_if_wrong(report)
    return report


def cancellation_floors(
    function: DifferentiableFunction, scale: float | Mapping[str, float], d_output: numpy.ndarray
) -> dict[int, float]:
    """Return ``scale ‖d_output‖`` for each differentiable leaf, by leaf index.

    Relative errors of the leaf are relative to this, where it is larger than the gradient's norm.
    """
    norm = float(numpy.linalg.norm(d_output))
    names = {leaf_index: function.names[leaf_index] for leaf_index in function.differentiable}
    by_name = scale if isinstance(scale, Mapping) else dict.fromkeys(names.values(), scale)
    return {leaf_index: norm * by_name.get(name, 0.0) for leaf_index, name in names.items()}


def raise_if_wrong(report: Report) -> None:
    """Raise a GradientError about the worst input if any has a fault."""
    faulty = [checked for checked in report.inputs if checked.fault]
    if not faulty:
        return
    worst = max(faulty, key=lambda checked: checked.error)
    correct = [checked.name for checked in report.inputs if not checked.fault]
    others = [checked.name for checked in faulty if checked is not worst]
    subject = worst.name if worst.name == THE_OUTPUT else f"the gradient of {worst.name}"
    message = f"{subject} is {worst.fault}"
    message += f"; also wrong: {', '.join(others)}" if others else ""
    message += f"; correct: {', '.join(correct)}" if correct else ""
    raise GradientError(
        message,
        worst.name,
        worst.index,
        worst.analytic,
        worst.numeric,
        worst.error,
        worst.tolerance,
        report,
    )
