"""Many random cases of one subject: what was covered, the worst errors, the smallest failure."""

import contextlib
from dataclasses import dataclass, field

from .cases import Case, Subject
from .check_gradients import METHODS, check_gradients
from .equality import check_equality
from .random_cases import on_random_numbers
from .report import CheckedInput, Report

EQUALITY = "equality"


@dataclass
class Row:
    """One input of one subject, over all cases, by one method and dtype.

    Attributes
    ----------
    cases, entries, zeros, kinks, vacuous : int
        Cases; entries compared, those of them without gradient, those at a kink; cases in which
        the whole gradient was zero up to rounding.
    error, tolerance : float
        Of the worst case, those not counted whose gradient is zero up to rounding.
    """

    cases: int = 0
    entries: int = 0
    zeros: int = 0
    kinks: int = 0
    vacuous: int = 0
    error: float = 0.0
    tolerance: float = 0.0

    def add(self, checked: CheckedInput) -> None:
        """Count one case in."""
        self.cases += 1
        self.entries += checked.entries
        self.zeros += checked.zeros
        self.kinks += len(checked.kinks)
        self.vacuous += checked.is_vacuous
        if checked.error >= self.error and not checked.is_vacuous:
            self.error, self.tolerance = checked.error, checked.tolerance


@dataclass
class Survey:
    """What came out for one variant of a subject.

    Attributes
    ----------
    subject : Subject
    variant : dict
    rows : dict
        ``rows[input][method, dtype]`` is a `Row`.
    constants : dict
        ``constants[name]`` lists what an input was that was held constant.
    failure : Failure or None
    """

    subject: Subject
    variant: dict
    rows: dict[str, dict[tuple[str, str], Row]] = field(default_factory=dict)
    constants: dict[str, list[str]] = field(default_factory=dict)
    failure: "Failure | None" = None

    @property
    def label(self) -> str:
        """The subject's name and its variant."""
        told = ", ".join(f"{name}={value}" for name, value in self.variant.items())
        return f"{self.subject.name} ({told})" if told else self.subject.name

    def add(self, report: Report, method: str, dtype: str) -> None:
        """Count one case in."""
        for name, kind in report.constants.items():
            kinds = self.constants.setdefault(name, [])
            kinds += [] if kind in kinds else [kind]
        for checked in report.inputs:
            by_plan = self.rows.setdefault(checked.name, {})
            by_plan.setdefault((method, dtype), Row()).add(checked)


@dataclass(frozen=True)
class Failure:
    """The smallest case that failed.

    Attributes
    ----------
    method, dtype : str
    numbers : dict
        What the case is built from.
    error : Exception
    """

    method: str
    dtype: str
    numbers: dict
    error: Exception


def plans_for(method: str | None, dtype: str | None) -> list[tuple[str, str]]:
    """List (method, dtype) to run; without a choice, float32 is held against float64 once."""
    if method is None and dtype is None:
        return [*((name, "float64") for name in METHODS), ("complex_step", "float32")]
    methods = METHODS if method is None else (method,)
    dtypes = ("float64", "float32") if dtype is None else (dtype,)
    return [(name, d) for d in dtypes for name in methods]


def survey_random_cases(
    subject: Subject,
    variant: dict,
    plans: list[tuple[str, str]],
    xp,
    examples: int,
    seed: int,
) -> Survey:
    """Check random cases of a variant, each by every plan.

    Parameters
    ----------
    subject : Subject
    variant : dict
    plans : list of (method, dtype)
    xp : module
        Array module.
    examples, seed : int
        How many cases to draw, and from which seed.

    Returns
    -------
    survey : Survey
        With the smallest case that fails, if one does.
    """
    found = Survey(subject, variant)

    def check(numbers):
        # Once a plan has failed, only that one has to fail again while the case shrinks.
        failed = found.failure
        chosen = [(failed.method, failed.dtype)] if failed else plans
        _check_plans(found, chosen, xp, variant | numbers)

    on_random_numbers(check, subject.options(), examples, seed)
    return found


def survey_case(subject: Subject, numbers: dict, plans: list[tuple[str, str]], xp) -> Survey:
    """Check one case by every plan; its numbers are the variant's, the drawn ones and the seed."""
    found = Survey(subject, {name: numbers[name] for name in subject.variants})
    with contextlib.suppress(Exception):  # it is noted
        _check_plans(found, plans, xp, numbers)
    return found


def _check_plans(found, plans, xp, numbers):
    for method, dtype in plans:
        try:
            case = found.subject.case(xp, dtype, numbers)
            used = method_for(case, method)
            found.add(check_case(case, used, numbers["seed"]), used, dtype)
        except Exception as error:
            found.failure = Failure(method, dtype, numbers, error)
            raise


def method_for(case: Case, method: str) -> str:
    """Return the method to use: a kernel is compared with its textbook operation instead."""
    return EQUALITY if case.textbook is not None and method == "complex_step" else method


def check_case(case: Case, method: str, seed: int) -> Report:
    """Check one case by one method; raises as `check_gradients` does."""
    options = {"constants": case.constants, "scale": case.scale, "seed": seed}
    if method == EQUALITY:
        return check_equality(case.function, case.textbook, *case.inputs, **options)
    return check_gradients(case.function, *case.inputs, method=method, **options)
