"""Checks of many random cases of one subject: coverage, worst errors and smallest failure."""

from dataclasses import dataclass, field

from kvnet.gradcheck.cases import Case, Subject
from kvnet.gradcheck.check_gradients import METHODS, check_gradients
from kvnet.gradcheck.equality import check_equality
from kvnet.gradcheck.random_cases import random_cases, simplest_failure
from kvnet.gradcheck.report import CheckedInput, Report

EQUALITY = "equality"


@dataclass
class Row:
    """One input of one subject, over all cases, by one method and dtype.

    Attributes
    ----------
    cases : int
        Number of cases.
    entries, zeros, kinks : int
        Number of entries compared, of those with zero gradient, and of those at a kink.
    vacuous : int
        Number of cases in which the whole gradient was zero up to rounding.
    error, tolerance : float
        Of the worst case, except for those whose gradient is zero up to rounding.
    """

    cases: int = 0
    entries: int = 0
    zeros: int = 0
    kinks: int = 0
    vacuous: int = 0
    error: float = 0.0
    tolerance: float = 0.0

    def add(self, checked: CheckedInput) -> None:
        """Add the comparison of one case."""
        self.cases += 1
        self.entries += checked.entries
        self.zeros += checked.zeros
        self.kinks += len(checked.kinks)
        self.vacuous += checked.is_vacuous
        if checked.error >= self.error and not checked.is_vacuous:
            self.error, self.tolerance = checked.error, checked.tolerance


@dataclass
class Survey:
    """Results of one variant of a subject.

    Attributes
    ----------
    subject : Subject
    variant : dict
    rows : dict
        ``rows[input][method, dtype]`` is a `Row`.
    constants : dict
        ``constants[name]`` lists the types of an input that was held constant.
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
        variant = ", ".join(f"{name}={value}" for name, value in self.variant.items())
        return f"{self.subject.name} ({variant})" if variant else self.subject.name

    def add(self, report: Report, method: str, dtype: str) -> None:
        """Add the report of one case."""
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
    parameters : dict
        Parameters of the case.
    error : Exception
    """

    method: str
    dtype: str
    parameters: dict
    error: Exception


def plans_for(method: str | None, dtype: str | None) -> list[tuple[str, str]]:
    """List the plans to run.

    Parameters
    ----------
    method, dtype : str or None
        None selects all. If both are None, float32 is checked by complex step only.

    Returns
    -------
    plans : list of (method, dtype)
    """
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
    """Check random cases of a variant, each by every plan, until one fails.

    Parameters
    ----------
    subject : Subject
    variant : dict
    plans : list of (method, dtype)
    xp : module
        Array module.
    examples : int
        Number of cases to draw.
    seed : int

    Returns
    -------
    survey : Survey
        Includes the smallest case that fails, if one does.
    """
    survey = Survey(subject, variant)
    for drawn in random_cases(subject.options(), examples, seed):
        _check_plans(survey, plans, xp, variant | drawn)
        if survey.failure:
            plan = survey.failure.method, survey.failure.dtype

            def fails(parameters, plan=plan):
                tried = survey_case(subject, variant | parameters, [plan], xp)
                survey.failure = tried.failure or survey.failure
                return tried.failure is not None

            simplest_failure(fails, subject.options(), drawn)
            break
    return survey


def survey_case(subject: Subject, parameters: dict, plans: list[tuple[str, str]], xp) -> Survey:
    """Check one case by every plan.

    Parameters
    ----------
    subject : Subject
    parameters : dict
        As for `Subject.case`.
    plans : list of (method, dtype)
    xp : module
        Array module.

    Returns
    -------
    survey : Survey
    """
    survey = Survey(subject, {name: parameters[name] for name in subject.variants})
    _check_plans(survey, plans, xp, parameters)
    return survey


def _check_plans(survey, plans, xp, parameters):
    """Add a case's reports to a survey, up to the first failure."""
    for method, dtype in plans:
        try:
            case = survey.subject.case(xp, dtype, parameters)
            used = method_for(case, method)
            survey.add(check_case(case, used, parameters["seed"]), used, dtype)
        except Exception as error:
            survey.failure = Failure(method, dtype, parameters, error)
            return


def method_for(case: Case, method: str) -> str:
    """Return the method to use: for a kernel, equality replaces the complex step."""
    return EQUALITY if case.textbook is not None and method == "complex_step" else method


def check_case(case: Case, method: str, seed: int) -> Report:
    """Check one case by one method.

    Parameters
    ----------
    case : Case
    method : str
        One of `METHODS`, or `EQUALITY`.
    seed : int

    Returns
    -------
    report : Report

    Raises
    ------
    GradientError, InputError
        As `check_gradients` does.
    """
    options = {"constants": case.constants, "scale": case.scale, "seed": seed}
    if method == EQUALITY:
        return check_equality(case.function, case.textbook, *case.inputs, **options)
    return check_gradients(case.function, *case.inputs, method=method, **options)
