"""The check itself: a function's own backward pass against its numeric derivatives."""

from collections.abc import Callable, Mapping, Sequence

import numpy

from kvnet.errors import InputError

from .comparison import compare
from .contract import sound_forward, sound_gradients
from .differentiable_function import DifferentiableFunction
from .gradient_error import GradientError
from .report import THE_OUTPUT, Report
from .rounding import rounding_tolerances
from .weighted_output import WeightedOutput

METHODS = ("complex_step", "central_differences", "random_directions")


def check_gradients(
    function: Callable,
    *inputs,
    method: str = "complex_step",
    constants: Sequence[str] = (),
    scale: float | Mapping[str, float] = 0.0,
    seed: int = 0,
) -> Report:
    """Prove a function's gradients, or raise.

    The output is multiplied by random numbers and summed, so that every entry of it counts; the
    gradient of that sum by every input is compared with what backward returns. Derivatives are
    taken in float64 whatever the dtype of the inputs, so float32 gradients are held against exact
    ones.

    Parameters
    ----------
    function : callable
        Takes the inputs and returns ``(output, ..., backward)``. ``backward(d_output)`` returns
        one gradient an input that has one, in their order; or the gradient itself, if it is one.
    *inputs
        Arrays of floats, or lists, tuples and dicts of them, whose gradient then has the same
        structure. Whole numbers, masks, Python numbers and None are held constant.
    method : {"complex_step", "central_differences", "random_directions"}
        A complex step is exact to the last digits and needs a forward that runs on complex
        numbers. Central differences take any forward. Random directions take a few forward passes
        for an input of any size, by complex step where that runs.
    constants : sequence of str
        Names of float inputs that backward returns no gradient for.
    scale : float or dict of str to float
        Size of the terms of the gradient, per unit of the output's gradient, where they cancel; of
        all inputs or by name. It is 1 for a saturated softmax, whose gradient is a difference of
        numbers near 1. Errors are then relative to ``max(‖gradient‖, scale ‖d_output‖)``: the
        tolerance, seen from the gradient, grows with the condition number of the difference.
    seed : int
        Of the random numbers.

    Returns
    -------
    report : Report
        What was compared, how well it agreed, what was held constant.

    Raises
    ------
    GradientError
        If a gradient is wrong or missing, forward is not deterministic or changes its inputs, or
        the method cannot be used on it. The message names the input and the worst entry.
    InputError
        If there is nothing to check or the method is unknown.
    """
    if method not in METHODS:
        raise InputError(f"method={method!r} is unknown; it takes {', '.join(METHODS)}")
    rng = numpy.random.default_rng(seed)
    taken = DifferentiableFunction(function, inputs, constants)
    output, backward = sound_forward(taken)
    d_output = numpy.asarray(rng.standard_normal(output.shape), output.dtype)
    gradients = sound_gradients(taken, backward, d_output)
    floors = floors_of(taken, scale, d_output)
    results = [output, *gradients]
    _, *roundings = rounding_tolerances(taken, results, d_output, [0.0, *floors.values()], rng)
    loss = WeightedOutput(taken, d_output, floors, rng)
    if method == "complex_step" and loss.refusal is not None:
        raise GradientError(
            f"the forward pass takes no complex numbers ({loss.refusal}); write it so that it "
            "does, or take method='central_differences'"
        )
    has_kink = loss.has_kink(rng)
    checked = [
        compare(loss, place, gradient, rounding, has_kink, method, rng)
        for place, gradient, rounding in zip(taken.free, gradients, roundings, strict=True)
    ]
    report = Report(checked, taken.held)
    raise_worst(report)
    return report


def floors_of(
    function: DifferentiableFunction, scale: float | Mapping[str, float], d_output: numpy.ndarray
) -> dict[int, float]:
    """Return ``scale ‖d_output‖`` for the place of each free leaf."""
    length = float(numpy.linalg.norm(d_output))
    names = {place: function.names[place] for place in function.free}
    by_name = scale if isinstance(scale, Mapping) else dict.fromkeys(names.values(), scale)
    return {place: length * by_name.get(name, 0.0) for place, name in names.items()}


def raise_worst(report: Report) -> None:
    """Raise a GradientError about the worst input, if any is at fault."""
    faulty = [checked for checked in report.inputs if checked.fault]
    if not faulty:
        return
    worst = max(faulty, key=lambda checked: checked.error)
    right = [checked.name for checked in report.inputs if not checked.fault]
    also = [checked.name for checked in faulty if checked is not worst]
    subject = worst.name if worst.name == THE_OUTPUT else f"the gradient of {worst.name}"
    message = f"{subject} is {worst.fault}"
    message += f"; also wrong: {', '.join(also)}" if also else ""
    message += f"; right: {', '.join(right)}" if right else ""
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
