"""Measure how many planted bugs gradcheck detects: all mutants, by every method.

A mutant is caught if the check raises a GradientError or the mutant itself raises an exception. If
it survives, HIPS autograd decides on random inputs whether its gradients are correct nevertheless
(the mutant is equivalent) or wrong (gradcheck has missed it).

The kernels run as Python, or with ``--compiled`` as compiled code with bounds checks; a mutant
that ends its process counts as caught.

    python benchmarks/mutation_score.py --output results/gradcheck_mutants.csv
"""

import argparse
import csv
import io
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numba
import numpy
from backward_mutants import KINDS, ROOT, Mutant, mutants
from threadpoolctl import threadpool_limits

from kvnet.files.atomic_file import write_atomically
from kvnet.gradcheck import METHODS, GradientError
from kvnet.gradcheck.cases import Subject
from kvnet.gradcheck.checked_models import MODELS
from kvnet.gradcheck.checked_operations import OPERATIONS
from kvnet.gradcheck.command_line import examples_of
from kvnet.gradcheck.random_cases import random_cases
from kvnet.gradcheck.separate_processes import Lost, in_processes
from kvnet.gradcheck.survey import check_case, method_for

sys.path.insert(0, str(ROOT / "tests"))
from helpers.autograd_formulas import formula_of, oracle_gradients, own_gradients

SECONDS = 120  # for one mutant
ORACLE_CASES = 40
TOLERANCE = 1e-10  # relative: far above rounding, and far below a factor of 1.001


@contextmanager
def planted(mutant: Mutant) -> Iterator[list[Subject]]:
    """Replace a module of the project by a mutant; yields the subjects that run it."""
    fused = is_fused(mutant)
    subjects = subjects_of(mutant)
    with (recompiled if fused else patched)(mutant):
        # Only the variants that run the mutant: a fused kernel does not run its textbook operation.
        yield [
            replace(s, variants=s.variants | {"kernels": ["fused" if fused else "reference"]})
            if "kernels" in s.variants
            else s
            for s in subjects
        ]


def is_fused(mutant: Mutant) -> bool:
    """Return whether a mutant is in a fused kernel."""
    return mutant.path.startswith("kernels/")


def subjects_of(mutant: Mutant) -> list[Subject]:
    """Return the model or operation that a module defines, or the operations that use a helper."""
    subjects = MODELS | OPERATIONS
    names, found = [mutant.module_name], []
    while names:
        name = names.pop(0)
        subject = subjects.get(name.rpartition(".")[2])
        if subject is None:
            names += [user for user in users_of(name) if user not in names]
        elif subject not in found:
            found.append(subject)
    return found


def users_of(module_name: str) -> list[str]:
    """Return the names of the modules in the same or the enclosing folder that import from one."""
    module, package = import_module(module_name), module_name.rpartition(".")[0]
    own = {id(value) for value in definitions(module).values()}
    for folder in {package, package.removesuffix(".parts")}:
        for path in Path(import_module(folder).__file__).parent.glob("*.py"):
            if path.stem != "__init__":
                import_module(f"{folder}.{path.stem}")
    return sorted(
        name
        for name, user in sys.modules.items()
        if name.startswith(package.removesuffix(".parts") + ".")
        and user is not module
        and any(id(value) in own for value in vars(user).values())
    )


def definitions(module: ModuleType) -> dict[str, object]:
    """Return the functions and classes that a module defines, by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
    }


@contextmanager
def patched(mutant: Mutant) -> Iterator[None]:
    """Replace the functions and classes of a module in all modules that have imported them.

    Classes that derive from one of them derive from its replacement instead.
    """
    module = import_module(mutant.module_name)
    wrong = vars(mutant.execute())
    wrong_by_id = {id(value): wrong[name] for name, value in definitions(module).items()}
    places = [
        (user, name, value)
        for user_name, user in list(sys.modules.items())
        if user_name.partition(".")[0] == "kvnet"
        for name, value in vars(user).items()
        if id(value) in wrong_by_id
    ]
    bases = {
        derived: derived.__bases__
        for value in definitions(module).values()
        if isinstance(value, type)
        for derived in value.__subclasses__()
        if derived.__module__ != module.__name__
    }
    for user, name, value in places:
        setattr(user, name, wrong_by_id[id(value)])
    for derived, right in bases.items():
        derived.__bases__ = tuple(wrong_by_id.get(id(base), base) for base in right)
    try:
        yield
    finally:
        for user, name, value in places:
            setattr(user, name, value)
        for derived, right in bases.items():
            derived.__bases__ = right


@contextmanager
def recompiled(mutant: Mutant) -> Iterator[None]:
    """Replace a module of kernels, and import the modules that use it again.

    If the bug is in a compiled function, their functions are compiled again: a compiled function
    contains those that it calls.
    """
    names = [mutant.module_name]
    for name in names:
        names += [user for user in users_of(name) if user not in names]
    before = {name: sys.modules.pop(name) for name in names}
    with empty_cache() if mutant.compiled else nullcontext():
        try:
            sys.modules[mutant.module_name] = mutant.execute()
            for name in names:
                import_module(name)
            yield
        finally:
            sys.modules.update(before)
            for name, module in before.items():
                package, _, stem = name.rpartition(".")
                setattr(sys.modules[package], stem, module)


@contextmanager
def empty_cache() -> Iterator[None]:
    """Store what is compiled in a temporary folder."""
    before = numba.config.CACHE_DIR
    with tempfile.TemporaryDirectory() as folder:
        numba.config.CACHE_DIR = folder
        try:
            yield
        finally:
            numba.config.CACHE_DIR = before


def use_python_form() -> None:
    """Give the kernels, which run as Python, what only exists in compiled form.

    Their blocks are of two rows, so that there are several of them in a small case.
    """
    from kvnet.kernels.parts import blocks, threads, vector_math

    cut = blocks.cut
    blocks.QUESTIONS_PER_BLOCK = 2
    blocks.cut = lambda rows, rows_per_block: cut(rows, min(rows_per_block, 2))
    from kvnet.kernels.parts import word_sums

    word_sums.SENTENCES_PER_BLOCK = 2

    def count_up(counters, place):
        counters[place] += 1
        return counters[place] - 1

    threads._count_up, threads._look_at = count_up, lambda counters, place: counters[place]
    vector_math.exp, vector_math.log = numpy.exp, numpy.log


def outcome(subject: Subject, method: str, seed: int) -> str:
    """Check a subject as the command line does.

    Returns
    -------
    outcome : {"caught", "crash", "survives"}
    """
    for variant in subject.combinations():
        for drawn in random_cases(subject.options(), examples_of(subject), seed):
            parameters = variant | drawn
            try:
                case = subject.case(numpy, "float64", parameters)
                check_case(case, method_for(case, method), parameters["seed"])
            except GradientError:
                return "caught"
            except Exception:
                return "crash"
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


def described(mutant: Mutant) -> dict:
    """Return where a mutant's bug is and what it changes."""
    return {name: getattr(mutant, name) for name in ("path", "line", "kind", "before", "after")}


def scored(mutant: Mutant, seed: int) -> dict:
    """Run every method on a mutant, and autograd if it survives one of them."""
    row = described(mutant)
    if numba.config.DISABLE_JIT:
        use_python_form()
    with planted(mutant) as subjects, threadpool_limits(1), numpy.errstate(all="ignore"):
        for method in METHODS[:1] if is_fused(mutant) else METHODS:
            outcomes = [outcome(subject, method, seed) for subject in subjects]
            row[method] = min(outcomes, key=["crash", "caught", "survives"].index)
        if is_fused(mutant):  # it is compared with the textbook, whatever the method
            row |= dict.fromkeys(METHODS, row[METHODS[0]])
        row["oracle"] = ""
        if "survives" in [row[method] for method in METHODS]:
            correct = all(is_right(subject, seed) for subject in subjects)
            row["oracle"] = "equivalent" if correct else "wrong"
    return row


def scores(chosen: Iterable[Mutant], seed: int) -> list[dict]:
    """Score mutants, each in a process of its own: a mutant may end its process, or never end.

    Returns
    -------
    rows : list of dict
        What `scored` returns, in the order of the mutants. A mutant that ends its process, or
        exceeds the time limit, is a crash.
    """
    chosen, rows = list(chosen), {}
    place = {id(mutant): i for i, mutant in enumerate(chosen)}
    cores = os.cpu_count() or 1
    with closing(in_processes(partial(scored, seed=seed), chosen, cores, SECONDS, False)) as done:
        for mutant, outcome in done:
            if isinstance(outcome, Exception):
                raise outcome
            if isinstance(outcome, Lost):
                outcome = described(mutant) | dict.fromkeys(METHODS, "crash") | {"oracle": ""}
            rows[place[id(mutant)]] = outcome
    return [rows[i] for i in range(len(chosen))]


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
    parser.add_argument("--paths", default="", help="score only files whose path contains this")
    parser.add_argument(
        "--compiled", action="store_true", help="compile the kernels; by default they run as Python"
    )
    arguments = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        # For the processes of the mutants. A mutant may index past the end of an array.
        settings = {"BOUNDSCHECK": 1, "CACHE_DIR": folder, "NUM_THREADS": 1}
        settings["DISABLE_JIT"] = int(not arguments.compiled)
        os.environ |= {f"NUMBA_{name}": str(value) for name, value in settings.items()}
        rows = scores((m for m in mutants() if arguments.paths in m.path), arguments.seed)
    print(table(rows))
    seconds = time.perf_counter() - started
    missed = [row for row in rows if row["oracle"] == "wrong"]
    for row in rows:
        if row["oracle"]:
            outcomes = {m: row[m] for m in METHODS}
            print(f"{row['oracle']}: {row['path']}:{row['line']} {row['kind']}", outcomes)
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
