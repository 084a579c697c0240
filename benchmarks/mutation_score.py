"""Measure how many planted bugs gradcheck detects: all mutants, by every method.

A mutant is caught if the check raises a GradientError or the mutant itself raises an exception. If
it survives, HIPS autograd decides on random inputs whether its gradients are correct nevertheless
(the mutant is equivalent) or wrong (gradcheck has missed it).

    python benchmarks/mutation_score.py --output results/gradcheck_mutants.csv
"""

import argparse
import csv
import io
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy
from backward_mutants import KINDS, MODEL_FILE, ROOT, Mutant, mutants
from threadpoolctl import threadpool_limits

from kvnet import operations as ops
from kvnet.files.atomic_file import write_atomically
from kvnet.gradcheck import METHODS, GradientError, checked_models
from kvnet.gradcheck.cases import Subject
from kvnet.gradcheck.checked_models import MODELS
from kvnet.gradcheck.checked_operations import OPERATIONS
from kvnet.gradcheck.command_line import MODEL_EXAMPLES, OPERATION_EXAMPLES
from kvnet.gradcheck.random_cases import run_random_cases
from kvnet.gradcheck.survey import check_case

sys.path.insert(0, str(ROOT / "tests"))
from helpers.autograd_formulas import formula_of, oracle_gradients, own_gradients

ORACLE_CASES = 40
TOLERANCE = 1e-10  # relative: far above rounding, and far below a factor of 1.001


class FirstFailure(BaseException):
    """Ends a check at its first failure; hypothesis would shrink an Exception first."""


@contextmanager
def planted(mutant: Mutant):
    """Replace the project's function or class by a mutant; yields the subjects that run it."""
    namespace = vars(mutant.execute())
    fused = mutant.path.startswith("kernels/")
    if fused:
        name = Path(mutant.path).stem
        subjects = [OPERATIONS[name]]
        attributes = [(import_module(f"kvnet.kernels.{name}"), name)]
    elif mutant.path == MODEL_FILE:
        attributes = [(checked_models, "KeyValueMemoryNetwork")]
        subjects = [MODELS["key_value_memory_network"]]
    else:
        subjects = [s for n, s in OPERATIONS.items() if is_defined_in(namespace.get(n), mutant)]
        attributes = [(ops, subject.name) for subject in subjects]
    originals = [getattr(*attribute) for attribute in attributes]
    for module, name in attributes:
        setattr(module, name, namespace[name])
    try:
        # Only the variants that run the mutant: a fused kernel does not run its textbook operation.
        yield [
            replace(s, variants=s.variants | {"kernels": ["fused" if fused else "reference"]})
            if "kernels" in s.variants
            else s
            for s in subjects
        ]
    finally:
        for (module, name), original in zip(attributes, originals, strict=True):
            setattr(module, name, original)


def is_defined_in(function, mutant: Mutant) -> bool:
    """Return whether a function is defined in the mutated module, not imported by it."""
    return getattr(getattr(function, "__code__", None), "co_filename", None) == mutant.path


def outcome(subject: Subject, method: str, seed: int) -> str:
    """Check a subject as the command line does.

    Returns
    -------
    outcome : {"caught", "crash", "survives"}
    """
    examples = MODEL_EXAMPLES if subject.name in MODELS else OPERATION_EXAMPLES
    for variant in subject.combinations():

        def check(parameters, variant=variant):
            try:
                case = subject.case(numpy, "float64", variant | parameters)
                check_case(case, method, parameters["seed"])
            except Exception as error:
                raise FirstFailure(error) from error

        try:
            run_random_cases(check, subject.options(), examples, seed)
        except FirstFailure as failure:
            return "caught" if isinstance(failure.args[0], GradientError) else "crash"
    return "survives"


def is_right(subject: Subject, seed: int) -> bool:
    """Return whether autograd confirms a subject's gradients, on inputs other than gradcheck's."""
    rng = numpy.random.default_rng(seed + 10**6)
    variants = [v for v in subject.combinations() if v.get("logits", "ordinary") == "ordinary"]
    for case_index in range(ORACLE_CASES):
        parameters = {
            n: options[rng.integers(len(options))] for n, options in subject.options().items()
        }
        parameters |= variants[case_index % len(variants)] | {"seed": int(rng.integers(2**32))}
        case = subject.case(numpy, "float64", parameters)
        d_output = rng.standard_normal(numpy.shape(case.function(*case.inputs)[0]))[()]
        expected = oracle_gradients(case, formula_of(subject, case), d_output)
        try:
            actual = own_gradients(case, d_output)
        except Exception:
            return False
        size = numpy.linalg.norm(d_output)
        for own, correct in zip(actual, expected, strict=True):
            bound = TOLERANCE * (numpy.linalg.norm(correct) + size * 1e-4)
            if numpy.shape(own) != correct.shape or not numpy.linalg.norm(own - correct) <= bound:
                return False
    return True


def scored(mutant: Mutant, seed: int) -> dict:
    """Run every method on a mutant, and autograd if it survives one of them."""
    row = {"file": mutant.path, "line": mutant.line, "kind": mutant.kind}
    row |= {"before": mutant.before, "after": mutant.after}
    with planted(mutant) as subjects:
        for method in METHODS:
            outcomes = [outcome(subject, method, seed) for subject in subjects]
            row[method] = min(outcomes, key=["crash", "caught", "survives"].index)
        row["oracle"] = ""
        if "survives" in [row[method] for method in METHODS]:
            correct = all(is_right(subject, seed) for subject in subjects)
            row["oracle"] = "equivalent" if correct else "wrong"
    return row


def table(rows: list[dict]) -> str:
    """Format the counts by kind of bug as a Markdown table."""
    head = "| bug | mutants | equivalent | " + " | ".join(METHODS) + " | caught by an exception |"
    lines = [head, "|" + "---|" * (len(METHODS) + 4)]
    for kind in (*KINDS, "all"):
        chosen = [row for row in rows if kind in (row["kind"], "all")]
        wrong = [row for row in chosen if row["oracle"] != "equivalent"]
        cells = [kind, len(chosen), len(chosen) - len(wrong)]
        for method in METHODS:
            caught = sum(row[method] != "survives" for row in wrong)
            cells.append(f"{caught} of {len(wrong)}")
        cells.append(sum(row[METHODS[0]] == "crash" for row in wrong))
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> int:
    """Score all mutants; return 1 if a wrong one survives."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", help="CSV file with one line per mutant")
    parser.add_argument("--seed", type=int, default=0, help="seed of the cases (default: 0)")
    arguments = parser.parse_args()
    started = time.perf_counter()
    with threadpool_limits(1), numpy.errstate(all="ignore"):
        rows = [scored(mutant, arguments.seed) for mutant in mutants()]
    print(table(rows))
    seconds = time.perf_counter() - started
    missed = [row for row in rows if row["oracle"] == "wrong"]
    for row in rows:
        if row["oracle"]:
            outcomes = {m: row[m] for m in METHODS}
            print(f"{row['oracle']}: {row['file']}:{row['line']} {row['kind']}", outcomes)
            print(f"  {row['before']}  ->  {row['after']}")
    print(f"{len(rows)} mutants, {len(missed)} missed by some method, {seconds:.0f} s")
    if arguments.output:
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(arguments.output, text.getvalue().encode())
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
