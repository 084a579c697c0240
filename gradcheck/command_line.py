"""Command line: check operations and models, print a table and a command for each failure."""

import json
import sys
import time
from collections.abc import Sequence
from functools import partial

import numpy
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from kvnet.backend import BACKENDS, array_module, chosen_backend
from kvnet.cli.arguments import ArgumentParser, check_outputs, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.errors import InputError
from kvnet.files.atomic_file import write_atomically
from kvnet.gradcheck.cases import LARGEST_SEED
from kvnet.gradcheck.check_gradients import METHODS
from kvnet.gradcheck.checked_models import MODELS
from kvnet.gradcheck.checked_operations import CONSTANTS, OPERATIONS
from kvnet.gradcheck.step_size_plot import draw
from kvnet.gradcheck.survey import plans_for, survey_case, survey_random_cases
from kvnet.gradcheck.table import PROGRAM, failure_text, results, summary, table

OPERATION_EXAMPLES, MODEL_EXAMPLES = 25, 3
DTYPES = ("float64", "float32")


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
    arguments = parser.parse_args(sys.argv[1:] if argv is None else list(argv))

    def command():
        outputs = {f"--{flag}": getattr(arguments, flag) for flag in ("json", "plot")}
        check_outputs(outputs, {}, replace=True)
        with threadpool_limits(1):  # the matrices are too small for several threads to be faster
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
    progress = tqdm(_surveys(subjects, arguments, xp), unit=" checked", leave=False, disable=None)
    surveys = list(progress)
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
        yield survey_case(subjects[0], subjects[0].numbers(arguments.case), plans, xp)
        return
    for subject in subjects:
        examples = MODEL_EXAMPLES if subject.name in MODELS else OPERATION_EXAMPLES
        for variant in subject.combinations():
            yield survey_random_cases(subject, variant, plans, xp, examples, arguments.seed)
