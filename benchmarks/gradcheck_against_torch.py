"""Compare kvnet.gradcheck with torch.autograd.gradcheck at its defaults on the same planted bugs.

Each operation runs on one fixed case; for PyTorch the same NumPy code is wrapped in a
torch.autograd.Function. The three tables show which mutants of `backward_mutants` each check
catches, the smallest relative error of a gradient that it detects, and the time of a check that
passes.

    python benchmarks/gradcheck_against_torch.py
"""

import argparse
import inspect
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from statistics import median

import numpy
import torch
from backward_mutants import KINDS, mutants
from mutation_score import is_right, kernels_with_bounds_checks, planted
from threadpoolctl import threadpool_limits

from kvnet.gradcheck import METHODS, GradientError
from kvnet.gradcheck.cases import Case, Subject
from kvnet.gradcheck.checked_operations import OPERATIONS
from kvnet.gradcheck.differentiable_function import DifferentiableFunction
from kvnet.gradcheck.survey import check_case, method_for

FACTORS = 10.0 ** -numpy.arange(1, 16.5, 0.5)
ROUNDS = 5


class Wrapped(torch.autograd.Function):
    """A function that returns its backward pass, as a PyTorch function."""

    @staticmethod
    def forward(ctx, function, *tensors):
        """Run the forward pass of a `DifferentiableFunction` on other leaves."""
        leaves = list(function.leaves)
        for leaf_index, tensor in zip(function.differentiable, tensors, strict=True):
            leaves[leaf_index] = tensor.detach().numpy()
        output, backward = function(leaves)
        ctx.gradients = lambda dy: function.flat_gradients(backward(dy))
        return torch.tensor(output)

    @staticmethod
    def backward(ctx, d_output):
        """Run the backward pass."""
        gradients = ctx.gradients(d_output.numpy()[()])
        return None, *(torch.tensor(numpy.asarray(gradient)) for gradient in gradients)


def torch_accepts(case: Case, fast_mode: bool) -> bool:
    """Return whether torch.autograd.gradcheck, at its defaults, detects no fault."""
    wrapped = DifferentiableFunction(case.function, case.inputs, case.constants)
    tensors = [torch.tensor(wrapped.leaves[i], requires_grad=True) for i in wrapped.differentiable]
    return torch.autograd.gradcheck(
        lambda *moved: Wrapped.apply(wrapped, *moved),
        tensors,
        fast_mode=fast_mode,
        raise_exception=False,
    )


def kvnet_accepts(case: Case, method: str) -> bool:
    """Return whether kvnet.gradcheck detects no fault."""
    try:
        check_case(case, method_for(case, method), seed=0)
    except GradientError:
        return False
    return True


CHECKS = {
    **{method: lambda case, m=method: kvnet_accepts(case, m) for method in METHODS},
    "torch slow": lambda case: torch_accepts(case, fast_mode=False),
    "torch fast": lambda case: torch_accepts(case, fast_mode=True),
}


def catches(check: Callable, subject: Subject) -> bool:
    """Return whether a check rejects a subject's fixed case, by its result or an exception."""
    accepted = False
    with suppress(Exception):
        accepted = check(fixed_case(subject))
    return not accepted


def fixed_case(subject: Subject) -> Case:
    """Build the case that every check runs on: ordinary options, the largest sizes."""
    parameters = {name: options[-1] for name, options in subject.options().items()}
    ordinary = {"words": "padded", "allowed": "some", "keep_prob": 0.7}
    parameters |= {name: value for name, value in ordinary.items() if name in parameters}
    parameters |= subject.combinations()[0] | {"seed": 1}
    return subject.case(numpy, "float64", parameters)


def mutants_caught() -> str:
    """Count, by kind of bug, the wrong mutants that each check catches."""
    totals = {kind: [0] * (1 + len(CHECKS)) for kind in (*KINDS, "all")}
    for mutant in mutants():
        if mutant.path.startswith("kvnet/models/"):
            continue
        with planted(mutant) as subjects:
            for subject in subjects:
                caught = [catches(check, subject) for check in CHECKS.values()]
                if not any(caught) and is_right(subject, seed=0):
                    continue  # an equivalent mutant, whose gradients are correct
                for kind in (mutant.kind, "all"):
                    totals[kind] = [a + b for a, b in zip(totals[kind], [1, *caught], strict=True)]
    lines = ["| bug | mutants | " + " | ".join(CHECKS) + " |", "|" + "---|" * (2 + len(CHECKS))]
    lines += ["| " + " | ".join(map(str, [k, *counts])) + " |" for k, counts in totals.items()]
    return "\n".join(lines)


def scaled(case: Case, factor: float) -> Case:
    """Return a case whose first gradient is too large by a factor; all else is unchanged."""

    def function(*inputs):
        output, *others, backward = case.function(*inputs)

        def wrong_backward(d_output):
            gradients = backward(d_output)
            if isinstance(gradients, tuple):
                return larger(gradients[0], factor), *gradients[1:]
            return larger(gradients, factor)

        return output, *others, wrong_backward

    function.__signature__ = inspect.signature(case.function)
    return Case(function, case.inputs, case.constants, case.scale)


def larger(gradient, factor):
    """Return a gradient, or a dict of them, times a factor."""
    if isinstance(gradient, dict):
        return {name: part * factor for name, part in gradient.items()}
    return gradient * factor


def smallest_errors_seen() -> str:
    """Find, for each operation, the smallest relative error that each check detects."""
    lines = ["| operation | " + " | ".join(CHECKS) + " |", "|" + "---|" * (1 + len(CHECKS))]
    for name, subject in OPERATIONS.items():
        case, cells = fixed_case(subject), []
        for check in CHECKS.values():
            detected = [factor for factor in FACTORS if not check(scaled(case, 1 + factor))]
            cells.append(f"{min(detected):.0e}" if detected else "none")
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def times() -> str:
    """Measure the milliseconds of a check of each operation without a bug."""
    lines = ["| operation | entries | " + " | ".join(CHECKS) + " |"]
    lines += ["|" + "---|" * (2 + len(CHECKS))]
    for name, subject in OPERATIONS.items():
        case = fixed_case(subject)
        wrapped = DifferentiableFunction(case.function, case.inputs, case.constants)
        cells = [name, str(sum(wrapped.leaves[i].size for i in wrapped.differentiable))]
        for check in CHECKS.values():
            assert check(case)  # also warms up
            spent = []
            for _ in range(ROUNDS):
                started = time.process_time()
                check(case)
                spent.append(time.process_time() - started)
            cells.append(f"{1e3 * median(spent):.1f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"PyTorch {torch.__version__}, NumPy {numpy.__version__}\n")
    with kernels_with_bounds_checks(), threadpool_limits(1), numpy.errstate(all="ignore"):
        print(f"wrong mutants caught\n\n{mutants_caught()}\n")
        print(
            f"smallest relative error of a gradient that is detected\n\n{smallest_errors_seen()}\n"
        )
        print(f"milliseconds of processor time per check\n\n{times()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
