"""What gradcheck and its peers say about a function with right and with wrong gradients."""

import time
import warnings
from collections.abc import Callable

import numpy
import torch
from torch.autograd.gradcheck import GradcheckError

from kvnet.errors import InputError
from kvnet.gradcheck import METHODS, GradientError, check_gradients
from zoo.foreign_function import ForeignFunction, wrong_forms
from zoo.noise import attainable_by_differences, gradient_noise, is_kink, value_noise

TORCH = ("torch slow", "torch fast")
JAX = ("jax check_grads",)
CHECKS = (*METHODS, *TORCH, *JAX)
CLEAR = 10  # a wrong gradient must be rejected if it differs by more than this times the noise


def judge(function: ForeignFunction) -> dict:
    """Run every check on the right gradients and on wrong ones.

    Returns
    -------
    record : dict
        ``undefined``: why the function cannot be checked here, or ``verdicts``,
        ``differs`` (by form and check, whether the gradient differs clearly), ``tolerances``,
        ``kinks`` and ``seconds``, by check.
    """
    record = {"name": function.name, "entries": sum(x.size for x in function.inputs)}
    rng = numpy.random.default_rng(function.seed)
    output = function.forward(*function.inputs)
    d_output = numpy.asarray(rng.standard_normal(output.shape))
    right = function.gradients(function.inputs, d_output)
    if not all(numpy.isfinite(x).all() for x in (output, *right)):
        return record | {"undefined": "a value or a gradient is not finite"}
    noise = gradient_noise(function, d_output, right)
    of_value = value_noise(function, d_output)
    near = attainable_by_differences(function, d_output, right, of_value)
    noises = {
        "complex_step": noise,
        "central_differences": [numpy.fmax(a, b) for a, b in zip(noise, near, strict=True)],
    }
    record |= {"verdicts": {}, "differs": {}, "messages": {}, "tolerances": {}, "seconds": {}}
    record |= {"kinks": {}, "false_kinks": {}}
    changes = wrong_forms(function, right)
    for form, change in {"right": None, **changes}.items():
        function_in_form = function.in_gradcheck_form(change)
        wrong = change(right) if change else right
        deltas = [abs(a - b) for a, b in zip(wrong, right, strict=True)]
        verdicts = record["verdicts"][form] = {}
        record["differs"][form] = {c: _differs(c, deltas, noises) for c in CHECKS}
        for check in CHECKS:
            started = time.perf_counter()
            if check in METHODS:
                said, message, report = _own_verdict(function_in_form, function, check)
            elif check in TORCH:
                said, message = _torch_verdict(function, change, check == "torch fast")
            else:
                said, message = _jax_verdict(function, change)
            verdicts[check] = said
            if message:
                record["messages"][f"{form}, {check}"] = message[:400]
            if form == "right":
                record["seconds"][check] = time.perf_counter() - started
            if check in METHODS and form == "right":
                _describe(record, check, report, function, d_output)
            elif check in METHODS and said == "right" and record["differs"][form][check]:
                places = [(i, tuple(p)) for i, d in enumerate(deltas) for p in numpy.argwhere(d)]
                if _all_at_kinks(places, report, function, d_output):
                    verdicts[check] = "kink"
    return record


def _differs(check, deltas, noises) -> bool:
    if check == "random_directions":  # it sees all entries of an input together
        return any(
            numpy.linalg.norm(d) > CLEAR * numpy.linalg.norm(n)
            for d, n in zip(deltas, noises["central_differences"], strict=True)
        )
    of_check = noises["complex_step" if check == "complex_step" else "central_differences"]
    return any((d > CLEAR * n).any() for d, n in zip(deltas, of_check, strict=True))


def _own_verdict(in_form, function, method):
    try:
        report = check_gradients(in_form, *_copies(function), method=method)
    except GradientError as error:
        if error.report is None:
            return "refused", str(error), None
        return "wrong", str(error), error.report
    except InputError as error:
        return "refused", str(error), None
    return "right", "", report


def _describe(record, check, report, function, d_output):
    if report is None:
        return
    record["tolerances"][check] = [c.tolerance for c in report.inputs]
    kinks = [(i, kink.index) for i, c in enumerate(report.inputs) for kink in c.kinks]
    record["kinks"][check] = len(kinks)
    false = [place for place in kinks if not is_kink(function, d_output, *place)]
    record["false_kinks"][check] = len(false)


def _all_at_kinks(places, report, function, d_output):
    left_out = {(i, kink.index) for i, c in enumerate(report.inputs) for kink in c.kinks}
    return all(p in left_out and is_kink(function, d_output, *p) for p in places)


def _copies(function):
    return [x.copy() for x in function.inputs]


class _InTorch(torch.autograd.Function):
    @staticmethod
    def forward(ctx, function, change, *tensors):
        ctx.of, ctx.change = function, change
        ctx.save_for_backward(*tensors)
        return torch.tensor(function.forward(*[t.detach().numpy() for t in tensors]))

    @staticmethod
    def backward(ctx, d_output):
        arrays = [t.detach().numpy() for t in ctx.saved_tensors]
        gradients = ctx.of.gradients(arrays, d_output.numpy())
        gradients = ctx.change(gradients) if ctx.change else gradients
        return None, None, *[torch.tensor(numpy.ascontiguousarray(g)) for g in gradients]


def _torch_verdict(function, change: Callable | None, fast: bool):
    tensors = [torch.tensor(x, requires_grad=True) for x in function.inputs]
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.autograd.gradcheck(
                lambda *moved: _InTorch.apply(function, change, *moved), tensors, fast_mode=fast
            )
        except GradcheckError as error:
            return "wrong", str(error)
        except Exception as error:
            return "refused", f"{type(error).__name__}: {error}"
    return "right", ""


def _jax_verdict(function, change: Callable | None):
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)

    @jax.custom_vjp
    def in_jax(*arrays):
        return jax.numpy.asarray(function.forward(*[numpy.array(x) for x in arrays]))

    def backward(arrays, d_output):
        gradients = function.gradients([numpy.array(x) for x in arrays], numpy.array(d_output))
        gradients = change(gradients) if change else gradients
        return tuple(jax.numpy.asarray(numpy.array(g)) for g in gradients)

    in_jax.defvjp(lambda *arrays: (in_jax(*arrays), arrays), backward)
    try:
        check_grads(in_jax, tuple(function.inputs), order=1, modes=["rev"])
    except AssertionError as error:
        return "wrong", str(error)
    except Exception as error:
        return "refused", f"{type(error).__name__}: {error}"
    return "right", ""
