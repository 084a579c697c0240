"""An operation whose code is edited: its formula, its source, and the verdict of the checker.

Edited code runs in a process of its own, with a time limit.
"""

import ast
import inspect
import io
import signal
import sys
import textwrap
import traceback
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy

from kvnet import operations
from kvnet.errors import InputError, shown
from kvnet.gradcheck import GradientError, check_gradients
from kvnet.gradcheck.checked_operations import OPERATIONS
from kvnet.gradcheck.random_cases import random_cases
from kvnet.gradcheck.report import CheckedInput
from kvnet.gradcheck.separate_processes import CONTEXT, Lost, in_processes
from kvnet.gradcheck.step_size_plot import errors_by_step, plotted_parameters

TIME_LIMIT = 10.0  # seconds
FILE = "<the edited code>"
CASES = 6
LONGEST_LIFE = 60  # seconds
MOST_PRINTED = 2000  # characters


class Edited(NamedTuple):
    """The name of an operation, and its code."""

    name: str
    code: str


@dataclass
class Verdict:
    """What the checker found.

    Attributes
    ----------
    is_correct : bool
    sentence : str
        The verdict in words.
    inputs : list of CheckedInput
        The comparison of each input in the case that decided; empty if it was not reached.
    cases : int
        The number of cases that were checked.
    constants : dict of str to str
        The inputs without a gradient.
    errors : dict of str to array
        Errors by step size, for the input with the largest error; empty if they are not known.
    plotted : str
        The name of that input.
    printed : str
        What the code printed.
    """

    is_correct: bool
    sentence: str
    inputs: list[CheckedInput] = field(default_factory=list)
    cases: int = 0
    constants: dict[str, str] = field(default_factory=dict)
    errors: dict[str, numpy.ndarray] = field(default_factory=dict)
    plotted: str = ""
    printed: str = ""


if hasattr(CONTEXT, "set_forkserver_preload"):
    CONTEXT.set_forkserver_preload([__name__])  # a check then takes 0.2 s instead of 2 s


def names() -> list[str]:
    """Return the operations that can be edited: those with a backward pass in their own file."""
    return [name for name in OPERATIONS if "def backward" in source_of(name)]


def _function(name) -> Callable:
    return getattr(operations, name)


def file_of(name: str) -> str:
    """Return the file of an operation, as it is named in the repository."""
    return _function(name).__module__.replace(".", "/") + ".py"


def formula_of(name: str) -> str:
    """Return the docstring of an operation above its references: formula and shapes."""
    text, _, _ = inspect.getdoc(_function(name)).partition("References\n---")
    return text.rstrip()


@cache
def source_of(name: str) -> str:
    """Return the code of an operation, from its file, without the docstring."""
    source = textwrap.dedent(inspect.getsource(_function(name)))
    lines = source.splitlines(keepends=True)
    docstring = ast.parse(source).body[0].body[0]
    return "".join(lines[: docstring.lineno - 1] + lines[docstring.end_lineno :])


def judge(name: str, code: str, time_limit: float = TIME_LIMIT) -> Verdict:
    """Check the gradients of an operation with other code.

    Parameters
    ----------
    name : str
        One of `names`.
    code : str
        Defines a function of this name.
    time_limit : float
        Seconds.

    Returns
    -------
    verdict : Verdict
        Also for code that is not Python, raises an error or does not end.
    """
    try:
        _compiled(code)
    except InputError as error:
        return Verdict(False, str(error))
    ((_, outcome),) = in_processes(_judged, [Edited(name, code)], 1, time_limit)
    if isinstance(outcome, Verdict):
        return outcome
    if outcome == Lost("time limit"):
        return Verdict(
            False,
            f"the code did not end within {time_limit:g} seconds and was stopped; look for a loop "
            "that does not end",
        )
    if isinstance(outcome, Lost):
        return Verdict(False, "the process that ran the code ended before the check was done")
    return Verdict(False, f"{type(outcome).__name__}: {outcome}")


def _compiled(code):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(code, FILE, "exec")
    except SyntaxError as error:
        where = f"line {error.lineno}, {shown(error.text.strip())}," if error.text else "the code"
        raise InputError(f"{where} is not Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"the code cannot be compiled: {error}") from None


def _judged(edited: Edited) -> Verdict:
    """Check edited code; called in a process of its own, in which it replaces the operation."""
    if hasattr(signal, "alarm"):  # the process ends even if the one that watches it is gone
        signal.alarm(LONGEST_LIFE)
    printed = _FirstCharacters()
    try:
        with redirect_stdout(printed), redirect_stderr(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            verdict = _verdict(edited)
    except Exception as error:
        verdict = Verdict(False, _where(edited.code, error))
    verdict.printed = printed.getvalue()
    return verdict


class _FirstCharacters(io.StringIO):
    """A text stream that stores the first characters and says that there were more."""

    def write(self, text):
        left = MOST_PRINTED - self.tell()
        if left > 0:
            super().write(text if len(text) <= left else text[:left] + " [...]")
        return len(text)


def _where(code, error):
    """Describe an error with the last line of the edited code that led to it."""
    if isinstance(error, InputError):
        return str(error)
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == FILE]
    if not lines:
        return reason
    text = (code.splitlines() + [""] * lines[-1])[lines[-1] - 1].strip()
    return f"line {lines[-1]}, {shown(text)}: {reason}"


def _verdict(edited):
    namespace = dict(vars(sys.modules[_function(edited.name).__module__]))
    namespace.pop(edited.name, None)
    exec(_compiled(edited.code), namespace)
    function = namespace.get(edited.name)
    if not callable(function):
        raise InputError(f"the code does not define {edited.name}; keep the name of the function")
    setattr(operations, edited.name, function)  # the cases look it up there
    subject = OPERATIONS[edited.name]
    options = subject.options()
    cases = [plotted_parameters(subject, 0)]
    drawn = random_cases(options, CASES - 1, 0)
    cases += [subject.combinations()[0] | parameters for parameters in drawn]
    first = None
    for number, parameters in enumerate(cases, start=1):
        case = subject.case(numpy, "float64", parameters)
        try:
            report = check_gradients(
                case.function, *case.inputs, constants=case.constants, scale=case.scale
            )
        except GradientError as error:
            inputs = error.report.inputs if error.report else []
            constants = error.report.constants if error.report else {}
            verdict = Verdict(False, str(error), inputs, number, constants)
            return _with_errors(verdict, subject, error.input)
        first = first or report
    sentence = f"every gradient is correct, in {CASES} cases with random shapes and values"
    verdict = Verdict(True, sentence, first.inputs, CASES, first.constants)
    return _with_errors(verdict, subject, first.inputs[0].name)


def _with_errors(verdict, subject, name):
    """Add the errors by step size, along the input of a name."""
    known = [checked.name for checked in verdict.inputs]
    if name in known:
        verdict.plotted = name
        verdict.errors = errors_by_step(subject, numpy, 0, known.index(name))
    return verdict
