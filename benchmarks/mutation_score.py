"""Measure how many planted bugs gradcheck detects: all mutants, by every method.

A mutant is caught if the check raises a GradientError or the mutant itself raises an exception. If
it survives, HIPS autograd decides on random inputs whether its gradients are correct nevertheless
(the mutant is equivalent) or wrong (gradcheck has missed it).

    python benchmarks/mutation_score.py --output results/gradcheck_mutants.csv
"""

import argparse
import csv
import io
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import replace
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
from kvnet.gradcheck.command_line import MODEL_EXAMPLES, OPERATION_EXAMPLES
from kvnet.gradcheck.random_cases import run_random_cases
from kvnet.gradcheck.survey import check_case, method_for

sys.path.insert(0, str(ROOT / "tests"))
from helpers.autograd_formulas import formula_of, oracle_gradients, own_gradients

ORACLE_CASES = 40
TOLERANCE = 1e-10  # relative: far above rounding, and far below a factor of 1.001


class FirstFailure(BaseException):
    """Ends a check at its first failure; hypothesis would shrink an Exception first."""


@contextmanager
def planted(mutant: Mutant) -> Iterator[list[Subject]]:
    """Replace a module of the project by a mutant; yields the subjects that run it."""
    fused = mutant.path.startswith("kernels/")
    subjects = subjects_of(mutant)
    with (recompiled if fused else patched)(mutant):
        # Only the variants that run the mutant: a fused kernel does not run its textbook operation.
        yield [
            replace(s, variants=s.variants | {"kernels": ["fused" if fused else "reference"]})
            if "kernels" in s.variants
            else s
            for s in subjects
        ]


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
    """Replace the functions and classes of a module in all modules that have imported them."""
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
    for user, name, value in places:
        setattr(user, name, wrong_by_id[id(value)])
    try:
        yield
    finally:
        for user, name, value in places:
            setattr(user, name, value)


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


@contextmanager
def kernels_with_bounds_checks() -> Iterator[None]:
    """Compile kernels, which must not be imported yet, with bounds checks.

    A mutant may index past the end of an array.
    """
    before = numba.config.BOUNDSCHECK
    numba.config.BOUNDSCHECK = 1
    with empty_cache():
        try:
            yield
        finally:
            numba.config.BOUNDSCHECK = before


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
                check_case(case, method_for(case, method), parameters["seed"])
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


def described(mutant: Mutant) -> dict:
    """Return where a mutant's bug is and what it changes."""
    return {name: getattr(mutant, name) for name in ("path", "line", "kind", "before", "after")}


def scored(mutant: Mutant, seed: int) -> dict:
    """Run every method on a mutant, and autograd if it survives one of them."""
    row = described(mutant)
    with planted(mutant) as subjects:
        for method in METHODS:
            outcomes = [outcome(subject, method, seed) for subject in subjects]
            row[method] = min(outcomes, key=["crash", "caught", "survives"].index)
        row["oracle"] = ""
        if "survives" in [row[method] for method in METHODS]:
            correct = all(is_right(subject, seed) for subject in subjects)
            row["oracle"] = "equivalent" if correct else "wrong"
    return row


class Scorer:
    """Scores mutants in another process, because a mutant may end the process that runs it.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int):
        self.seed = seed
        self._start()

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self.seed), daemon=True)
        self._process.start()
        theirs.close()

    def __call__(self, mutant: Mutant) -> dict:
        """Return what `scored` returns; a mutant that ends the process is a crash."""
        self._pipe.send(mutant)
        try:
            return self._pipe.recv()
        except EOFError:
            self.close()
            self._start()
            return described(mutant) | dict.fromkeys(METHODS, "crash") | {"oracle": ""}

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join()


def _serve(pipe, seed: int) -> None:
    """Score mutants until the other end closes the pipe."""
    with (
        kernels_with_bounds_checks(),
        threadpool_limits(1),
        numpy.errstate(all="ignore"),
        suppress(EOFError),
    ):
        while True:
            pipe.send(scored(pipe.recv(), seed))


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
    arguments = parser.parse_args()
    started = time.perf_counter()
    with closing(Scorer(arguments.seed)) as score:
        rows = [score(mutant) for mutant in mutants() if arguments.paths in mutant.path]
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
