"""The same planted bugs before kvnet.gradcheck and before torch.autograd.gradcheck at its defaults.

Each operation runs on one fixed case; for PyTorch the same NumPy code is wrapped in a
torch.autograd.Function. Three tables: which mutants of `backward_mutants` each check catches, the
smallest relative error of a gradient that each sees, and the time of a check that passes.

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
from backward_mutants import KINDS, MODEL_FILE, mutants
from mutation_score import is_right, planted
from threadpoolctl import threadpool_limits

from kvnet.gradcheck import METHODS, GradientError
from kvnet.gradcheck.cases import Case, Subject
from kvnet.gradcheck.checked_operations import OPERATIONS
from kvnet.gradcheck.differentiable_function import DifferentiableFunction
from kvnet.gradcheck.survey import check_case

FACTORS = 10.0 ** -numpy.arange(1, 16.5, 0.5)
ROUNDS = 5


class Wrapped(torch.autograd.Function):
    """A function of NumPy arrays that returns its backward pass, as PyTorch wants it."""

    @staticmethod
    def forward(ctx, taken, *tensors):
        """Run the function on other leaves."""
        leaves = list(taken.leaves)
        for place, tensor in zip(taken.free, tensors, strict=True):
            leaves[place] = tensor.detach().numpy()
        output, backward = taken(leaves)
        ctx.gradients = lambda dy: taken.gradients(backward(dy))
        return torch.tensor(output)

    @staticmethod
    def backward(ctx, d_output):
        """Run its backward pass."""
        gradients = ctx.gradients(d_output.numpy()[()])
        return None, *(torch.tensor(numpy.asarray(gradient)) for gradient in gradients)


def torch_accepts(case: Case, fast_mode: bool) -> bool:
    """Tell whether torch.autograd.gradcheck, at its defaults, finds nothing wrong."""
    taken = DifferentiableFunction(case.function, case.inputs, case.constants)
    tensors = [torch.tensor(taken.leaves[place], requires_grad=True) for place in taken.free]
    return torch.autograd.gradcheck(
        lambda *moved: Wrapped.apply(taken, *moved),
        tensors,
        fast_mode=fast_mode,
        raise_exception=False,
    )


def kvnet_accepts(case: Case, method: str) -> bool:
    """Tell whether kvnet.gradcheck finds nothing wrong."""
    try:
        check_case(case, method, seed=0)
    except GradientError:
        return False
    return True


CHECKS = {
    **{method: lambda case, m=method: kvnet_accepts(case, m) for method in METHODS},
    "torch slow": lambda case: torch_accepts(case, fast_mode=False),
    "torch fast": lambda case: torch_accepts(case, fast_mode=True),
}


def catches(check: Callable, subject: Subject) -> bool:
    """Tell whether a check refuses a subject's fixed case; raising is refusing."""
    accepted = False
    with suppress(Exception):
        accepted = check(fixed_case(subject))
    return not accepted


def fixed_case(subject: Subject) -> Case:
    """Build the case that every check gets: ordinary numbers, the largest sizes."""
    numbers = {name: options[-1] for name, options in subject.options().items()}
    ordinary = {"words": "padded", "allowed": "some", "keep_prob": 0.7}
    numbers |= {name: value for name, value in ordinary.items() if name in numbers}
    return subject.case(numpy, "float64", numbers | subject.combinations()[0] | {"seed": 1})


def mutants_caught() -> str:
    """Count, by kind of bug, the wrong mutants that each check catches."""
    totals = {kind: [0] * (1 + len(CHECKS)) for kind in (*KINDS, "all")}
    for mutant in mutants():
        if mutant.path == MODEL_FILE:
            continue
        with planted(mutant) as subjects:
            for subject in subjects:
                caught = [catches(check, subject) for check in CHECKS.values()]
                if not any(caught) and is_right(subject, seed=0):
                    continue  # an equivalent mutant: there is nothing to catch
                for kind in (mutant.kind, "all"):
                    totals[kind] = [a + b for a, b in zip(totals[kind], [1, *caught], strict=True)]
    lines = ["| bug | mutants | " + " | ".join(CHECKS) + " |", "|" + "---|" * (2 + len(CHECKS))]
    lines += ["| " + " | ".join(map(str, [k, *counts])) + " |" for k, counts in totals.items()]
    return "\n".join(lines)


def scaled(case: Case, factor: float) -> Case:
    """Return a case whose first gradient is too large by a factor, and nothing else."""

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
    """Find, for each operation, the smallest relative error that each check sees."""
    lines = ["| operation | " + " | ".join(CHECKS) + " |", "|" + "---|" * (1 + len(CHECKS))]
    for name, subject in OPERATIONS.items():
        case, cells = fixed_case(subject), []
        for check in CHECKS.values():
            seen = [factor for factor in FACTORS if not check(scaled(case, 1 + factor))]
            cells.append(f"{min(seen):.0e}" if seen else "none")
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def times() -> str:
    """Time a check of each operation, right as it is, in milliseconds."""
    lines = ["| operation | entries | " + " | ".join(CHECKS) + " |"]
    lines += ["|" + "---|" * (2 + len(CHECKS))]
    for name, subject in OPERATIONS.items():
        case = fixed_case(subject)
        taken = DifferentiableFunction(case.function, case.inputs, case.constants)
        cells = [name, str(sum(taken.leaves[place].size for place in taken.free))]
        for check in CHECKS.values():
            assert check(case)  # warms up, too
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
    with threadpool_limits(1), numpy.errstate(all="ignore"):
        print(f"wrong mutants caught\n\n{mutants_caught()}\n")
        print(f"smallest relative error of a gradient that is seen\n\n{smallest_errors_seen()}\n")
        print(f"milliseconds of processor time a check\n\n{times()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
