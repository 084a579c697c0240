"""Check a function's backward pass against numeric derivatives."""

import numbers
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy

from kvnet.backend import to_numpy
from kvnet.errors import InputError
from kvnet.gradcheck.comparison import Comparison
from kvnet.gradcheck.contract import check_backward, check_forward
from kvnet.gradcheck.differentiable_function import DifferentiableFunction
from kvnet.gradcheck.entries import Entries, NotAnalyticError
from kvnet.gradcheck.gradient_error import ComplexStepError, GradientError
from kvnet.gradcheck.more_precision import more_precise
from kvnet.gradcheck.moved_function import MovedFunction
from kvnet.gradcheck.norms import norm
from kvnet.gradcheck.progress import Progress
from kvnet.gradcheck.random_numbers import generator, random_factors
from kvnet.gradcheck.report import THE_OUTPUT, Report
from kvnet.gradcheck.rounding import (
    FACTOR,
    Rounding,
    bound,
    conditioning,
    noise_of_results,
    rounding_in,
)
from kvnet.gradcheck.search_kinks import is_analytic, probe_all

METHODS = ("complex_step", "central_differences", "random_directions")
LOW_PRECISION = 2.0**-36  # relative noise that is larger than in arithmetic of float64


def check_gradients(
    function: Callable,
    *inputs,
    method: str = "complex_step",
    constants: Sequence[str] = (),
    scale: float | Mapping[str, float] = 0.0,
    seed: int = 0,
) -> Report:
    """Check the gradients of a function, and raise an error if one is wrong.

    The outputs are multiplied by random weights and summed, so that every entry of them counts. The
    gradient of that sum with respect to each input is compared with what backward returns.
    Derivatives are computed in float64 for any dtype of the inputs, so float32 gradients are
    compared with float64 derivatives.

    Parameters
    ----------
    function : callable
        Takes the inputs and returns ``(output, ..., backward)``. ``backward`` takes the gradient of
        each output, in their order and structure, and returns a tuple with one gradient per
        differentiable input, in their order, or the gradient itself if there is only one such
        input. Outputs are float arrays, or lists, tuples and dicts of them. If backward takes one
        gradient only, it is that of the first output, and the report names the others.
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
        Seed of the random weights, directions and steps. They are independent of the random
        numbers of ``numpy.random.default_rng``, for any seeds.

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
        If there is nothing to check, or the method, a name or the seed is not valid.
    """
    if method not in METHODS:
        raise InputError(f"method={method!r} is unknown; choose one of {', '.join(METHODS)}")
    rng = generator(seed)
    wrapped = DifferentiableFunction(function, inputs, constants)
    scales = cancellation_scales(wrapped, scale)
    outputs, backward = check_forward(wrapped)
    d_outputs = draw_weights(outputs, rng)
    gradients = check_backward(wrapped, backward, d_outputs)
    with numpy.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # at points outside of the function's domain
        check = _Check(
            wrapped, outputs, backward, d_outputs, gradients, list(scales.values()), method, rng
        )
        report = check.report()
    raise_if_wrong(report)
    return report


class _Check:
    """One call of `check_gradients`, after the checks of the contract.

    Parameters
    ----------
    function : DifferentiableFunction
    outputs, d_outputs, gradients : list of array
        The outputs, their weights, and the gradients that backward returned.
    backward : callable
    scales : list of float
        Size of the terms that cancel, by differentiable leaf.
    method : str
    rng : numpy.random.Generator
    """

    def __init__(self, function, outputs, backward, d_outputs, gradients, scales, method, rng):
        self.function, self.method, self.rng = function, method, rng
        self.backward, self.d_outputs, self.gradients = backward, d_outputs, gradients
        self.results, self.outputs = [*outputs, *gradients], len(outputs)
        self.floors = [each * norm_of_all(d_outputs) for each in scales]
        self.sizes = conditioning(function, backward, gradients, lambda: draw_weights(outputs, rng))
        self.notes, self._again, self._precise = [], None, []
        noise = self._noise()
        self.bounds = self._bounds(noise)
        self.moved = MovedFunction(function, d_outputs, Progress(method != "random_directions"))
        self.is_float64 = all(array.dtype == "float64" for array in self.results)
        self._knows_noise = self.is_float64
        if self.is_float64:
            self.moved.set_noise(noise[: self.outputs])

    def report(self) -> Report:
        """Compare all gradients."""
        by_complex_step = self._accepts_complex_numbers()
        if not by_complex_step:
            self._measure_noise()
        sides = probe_all(self.moved, by_complex_step, self.rng)
        try:
            if by_complex_step and not self._is_analytic(sides):
                raise NotAnalyticError
            checked = self._compare_all(by_complex_step, bool(sides.is_kink.any()))
        except NotAnalyticError as reason:
            self.notes.append(f"{reason}: differences decide")
            self._measure_noise()
            sides = probe_all(self.moved, False, self.rng)
            checked = self._compare_all(False, bool(sides.is_kink.any()))
        if self.moved.epsilon > LOW_PRECISION and self.is_float64:
            self.notes.append(
                f"the noise of the forward pass is {self.moved.epsilon:.1e} of its values, more "
                "than in float64: it may compute in float32"
            )
        return Report(checked, self.function.constants, self.function.outputs.unchecked, self.notes)

    def _measure_noise(self):
        """Measure the noise in float64, unless the inputs are float64 and it is known."""
        if not self._knows_noise:
            self.moved.measure_noise(self.rng)
            self._knows_noise = True

    def _is_analytic(self, sides):
        if is_analytic(self.moved, sides.is_kink, self.rng):
            return True
        if self._knows_noise:
            return False
        self._measure_noise()  # cancellation may be the reason why differences disagree
        return is_analytic(self.moved, sides.is_kink, self.rng)

    def _accepts_complex_numbers(self):
        if self.method == "central_differences":
            return False
        fault = self.moved.complex_step_fault()
        if fault is not None and self.method == "complex_step":
            raise ComplexStepError(
                f"the forward pass does not accept complex numbers ({fault}); make it accept "
                "them, or use method='central_differences'"
            )
        return fault is None

    def _compare_all(self, by_complex_step, has_kink):
        checked = []
        for k, leaf_index in enumerate(self.function.differentiable):
            entries = Entries(
                moved=self.moved,
                leaf_index=leaf_index,
                gradient=self.gradients[k].astype("float64"),
                rounding=self.bounds[k],
                by_complex_step=by_complex_step,
                rng=self.rng,
                measure_again=partial(self._measured_again, k),
                gradient_of=partial(self._gradient_of, k),
                more_digits=partial(self._with_more_digits, k),
                epsilon=float(numpy.finfo(self.gradients[k].dtype).eps),
            )
            comparison = Comparison(entries, self.sizes[k], self.floors[k])
            along = self.method == "random_directions"
            compare = comparison.by_directions if along else comparison.by_entries
            checked.append(compare(has_kink))
        return checked

    def _noise(self):
        return noise_of_results(self.function, self.results, self.d_outputs, self.rng)

    def _bounds(self, noise):
        gradients = zip(self.gradients, noise[self.outputs :], self.sizes, self.floors, strict=True)
        return [bound(*each) for each in gradients]

    def _measured_again(self, k):
        """Return bounds measured at other points, and by comparison with float32."""
        if self._again is None:
            self._measure_noise()
            noises = [self._noise() for _ in range(2)]
            self._again = [self._bounds(noise) for noise in noises]
            if self.is_float64:
                for noise in noises:
                    self.moved.raise_noise(noise[: self.outputs])
            self._in_float32 = rounding_in(
                "float32", "float64", self.function, self.d_outputs, self.rng
            )
        each = [bounds[k] for bounds in self._again]
        entries = numpy.maximum.reduce([bounds.entries for bounds in each])
        ratio = numpy.finfo(self.gradients[k].dtype).eps / numpy.finfo("float32").eps
        entries = entries + FACTOR * float(ratio) * self._in_float32[k]
        return Rounding(max(bounds.norm for bounds in each), entries)

    def _with_more_digits(self, k):
        """Return the function in a higher precision, and a gradient there; None if it has none."""
        if not self._precise:
            progress = self.moved.progress
            self._precise = [more_precise(self.function, self.d_outputs, progress, self.rng)]
        found = self._precise[0]
        return found and (found.moved, found.gradients[k], found.errors[k])

    def _gradient_of(self, k, chosen):
        """Return a gradient, with the weights of some of the outputs' entries only."""
        weights, first = [], 0
        for d_output in self.d_outputs:
            part = chosen[first : first + d_output.size].reshape(d_output.shape)
            weights.append(numpy.asarray(d_output * part, d_output.dtype))
            first += d_output.size
        gradients = self.function.gradients(self.backward, weights)
        return numpy.asarray(to_numpy(gradients[k]), "float64")


def draw_weights(
    outputs: Sequence[numpy.ndarray], rng: numpy.random.Generator
) -> list[numpy.ndarray]:
    """Draw a gradient of each output."""
    return [numpy.asarray(random_factors(rng, o.shape), o.dtype) for o in outputs]


def norm_of_all(arrays: Sequence[numpy.ndarray]) -> float:
    """Return the norm of all entries of several arrays."""
    return norm([norm(array) for array in arrays])


def cancellation_scales(
    function: DifferentiableFunction, scale: float | Mapping[str, float]
) -> dict[int, float]:
    """Return the size of the terms that cancel for each differentiable leaf, by leaf index.

    Parameters
    ----------
    function : DifferentiableFunction
    scale : float or dict of str to float
        One for all leaves; or by name of a leaf or of an input, and 0 for the others.

    Raises
    ------
    InputError
        If a name is not that of an input with a gradient, or a size is not valid.
    """
    names = {i: (function.names[i], function.input_of_leaf[i]) for i in function.differentiable}
    by_name = scale if isinstance(scale, Mapping) else {}
    known = list(dict.fromkeys(name for pair in names.values() for name in reversed(pair)))
    if unknown := [name for name in by_name if name not in known]:
        raise InputError(
            f"scale names {', '.join(map(repr, unknown))}, which is not an input with a gradient; "
            f"these are {', '.join(known)}"
        )
    for value in by_name.values() if isinstance(scale, Mapping) else [scale]:
        if not isinstance(value, numbers.Real) or not 0 <= value < float("inf"):
            raise InputError(f"scale={value!r} is not valid; pass a number that is at least 0")
    if not isinstance(scale, Mapping):
        return dict.fromkeys(names, float(scale))
    return {
        i: float(by_name.get(leaf_name, by_name.get(input_name, 0.0)))
        for i, (leaf_name, input_name) in names.items()
    }


def raise_if_wrong(report: Report) -> None:
    """Raise a GradientError about the worst input if any has a fault."""
    faulty = [checked for checked in report.inputs if checked.fault]
    if not faulty:
        return
    worst = max(faulty, key=lambda checked: checked.error)
    correct = [checked.name for checked in report.inputs if not checked.fault]
    others = [checked.name for checked in faulty if checked is not worst]
    is_output = worst.name.startswith(THE_OUTPUT)
    subject = worst.name if is_output else f"the gradient of {worst.name}"
    message = f"{subject} is {worst.fault}"
    message += f"; also wrong: {', '.join(others)}" if others else ""
    message += f"; correct: {', '.join(correct)}" if correct else ""
    message += f"; {'; '.join(report.notes)}" if report.notes else ""
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
