"""Command line: check operations and models, print a table and a command for each failure."""

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import groupby

import numpy
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from kvnet.backend import BACKENDS, array_module, chosen_backend
from kvnet.cli.arguments import ArgumentParser, check_outputs, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.errors import InputError
from kvnet.files.atomic_file import write_atomically
from kvnet.gradcheck.cases import LARGEST_SEED, Subject
from kvnet.gradcheck.check_gradients import METHODS
from kvnet.gradcheck.checked_models import MODELS
from kvnet.gradcheck.checked_operations import CONSTANTS, OPERATIONS
from kvnet.gradcheck.separate_processes import Lost, in_processes
from kvnet.gradcheck.step_size_plot import draw
from kvnet.gradcheck.survey import Survey, plans_for, survey_case, survey_random_cases
from kvnet.gradcheck.table import PROGRAM, failure_text, results, summary, table
from kvnet.kernels import kernel_threads

OPERATION_EXAMPLES, MODEL_EXAMPLES = 25, 3
DTYPES = ("float64", "float32")
QUIET = {"leave": False, "disable": None}  # no progress bar in a file, and none that stays


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments of the command; by default those of the process.

    Returns
    -------
    code : int
        0 if every gradient is correct, 1 if one is wrong; otherwise that of `exit_code`.
    """
    parser = _parser()

    def command():
        arguments = parser.parse_args(sys.argv[1:] if argv is None else list(argv))
        outputs = {f"--{flag}": getattr(arguments, flag) for flag in ("json", "plot")}
        check_outputs(outputs, {}, replace=True)
        return _run(arguments)

    return exit_code(parser.prog, command)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=PROGRAM, description="Check every hand-written gradient against numeric derivatives."
    )
    names = ", ".join(sorted(OPERATIONS))
    parser.add_argument(
        "--op",
        choices=sorted(OPERATIONS),
        metavar="OPERATION",
        help=f"check only this operation: {names}",
    )
    parser.add_argument("--model", choices=sorted(MODELS), help="check only this model")
    parser.add_argument("--method", choices=METHODS, help="use only this method (default: all)")
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        help="dtype of the inputs (default: float64, and float32 by complex step only)",
    )
    parser.add_argument(
        "--backend", choices=BACKENDS, default="numpy", help="backend to run on (default: numpy)"
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0, LARGEST_SEED),
        default=0,
        help="seed of the random cases (default: 0)",
    )
    parser.add_argument(
        "--case", help="check only this case, as printed for a failure: NAME=VALUE,..."
    )
    parser.add_argument("--json", metavar="FILE", help="write all measurements to a JSON file")
    parser.add_argument(
        "--plot",
        metavar="FILE",
        help="plot the error against the step size to a PNG file, without a check",
    )
    return parser


def _run(arguments):
    started = time.perf_counter()
    arguments.backend = chosen_backend(arguments.backend, partial(print, file=sys.stderr))
    xp = array_module(arguments.backend)
    subjects = _subjects(arguments)
    if arguments.plot:
        write_atomically(arguments.plot, draw(subjects[0], xp, arguments.seed))
        return 0
    surveys = _surveys(subjects, arguments, xp)
    seconds = time.perf_counter() - started
    print(table(surveys))
    print(summary(surveys, CONSTANTS, seconds))
    failures = [each for each in surveys if each.failure]
    for each in failures:
        print(failure_text(each, arguments.backend), file=sys.stderr)
    if arguments.json:
        document = {"seed": arguments.seed, "backend": arguments.backend, "seconds": seconds}
        document |= {"numpy": numpy.__version__} | results(surveys, arguments.backend)
        write_atomically(arguments.json, json.dumps(document, indent=1).encode())
    return 1 if failures else 0


def _subjects(arguments):
    if not (arguments.op or arguments.model):
        if arguments.case is not None:
            raise InputError(
                "--case needs the operation or model that it is a case of; give --op or --model too"
            )
        return [*OPERATIONS.values(), *MODELS.values()]
    chosen = [OPERATIONS[arguments.op]] if arguments.op else []
    chosen += [MODELS[arguments.model]] if arguments.model else []
    if arguments.case is not None and len(chosen) > 1:
        raise InputError(
            "--case is a case of one operation or model; give --op or --model, not both"
        )
    return chosen


def _surveys(subjects, arguments, xp):
    plans = plans_for(arguments.method, arguments.dtype)
    if arguments.case is not None:
        with one_thread():
            return [survey_case(subjects[0], subjects[0].numbers(arguments.case), plans, xp)]
    variants = [(each, variant) for each in subjects for variant in each.combinations()]
    survey = partial(_survey_variants, plans, arguments.backend, arguments.seed)
    in_parallel = len(subjects) > 1 and arguments.backend == "numpy"  # one subject is soon checked
    done = _done_in_processes(survey, variants) if in_parallel else _done_here(survey, variants)
    found = {}
    with closing(done), tqdm(total=len(variants), unit=" checked", **QUIET) as progress:
        for each in done:
            found[each.label] = each
            progress.update()
    return [found[Survey(*variant).label] for variant in variants]


def _survey_variants(plans, backend, seed, variants) -> list[Survey]:
    xp = array_module(backend)
    with one_thread():
        return [
            survey_random_cases(subject, variant, plans, xp, examples_of(subject), seed)
            for subject, variant in variants
        ]


def _done_here(survey, variants):
    for variant in variants:
        yield from survey([variant])


def _done_in_processes(survey, variants):
    # Only one process compiles the kernels of an operation. Models, which take the longest, are
    # first, so that the last processes end at about the same time.
    tasks = [[v] for v in variants if v[0].name in MODELS]
    operations = [v for v in variants if v[0].name not in MODELS]
    tasks += [list(group) for _, group in groupby(operations, key=lambda v: v[0].name)]
    with closing(in_processes(survey, tasks, available_cores())) as done:
        for task, outcome in done:
            if isinstance(outcome, Lost):
                raise InputError(
                    f"the process that checked {task[0][0].name} has crashed; check it alone with "
                    f"`{PROGRAM} --op {task[0][0].name}` to see where"
                )
            if isinstance(outcome, Exception):
                raise outcome
            yield from outcome


def examples_of(subject: Subject) -> int:
    """Return the number of random cases of each variant of a subject."""
    return MODEL_EXAMPLES if subject.name in MODELS else OPERATION_EXAMPLES


@contextmanager
def one_thread() -> Iterator[None]:
    """Run on one thread: the matrices are too small for several threads to be faster."""
    with threadpool_limits(1), kernel_threads(1):
        yield


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
