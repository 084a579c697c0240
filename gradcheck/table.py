"""Output of the command line: the table, the failures and the JSON."""

import shlex

from kvnet.gradcheck.checked_models import MODELS
from kvnet.gradcheck.survey import Row, Survey

PROGRAM = "python -m kvnet.gradcheck"


def table(surveys: list[Survey]) -> str:
    """Format the worst relative errors: one line per input, one column per method and dtype.

    Parameters
    ----------
    surveys : list of Survey

    Returns
    -------
    text : str
    """
    plans = list(dict.fromkeys(plan for each in surveys for r in each.rows.values() for plan in r))
    columns = [method if dtype == "float64" else f"{method} f32" for method, dtype in plans]
    lines = [f"{'worst relative error':34} {'cases':>6} {'entries':>8}  {'  '.join(columns)}"]
    for each in surveys:
        lines.append(each.label + (": FAILS" if each.failure else ""))
        for name, by_plan in each.rows.items():
            cells = [
                f"{by_plan[plan].error:{len(column)}.1e}" if plan in by_plan else " " * len(column)
                for plan, column in zip(plans, columns, strict=True)
            ]
            first = next(iter(by_plan.values()))
            counts = f"{first.cases:6} {first.entries:8,}"
            lines.append(f"  {name:32} {counts}  {'  '.join(cells)}{_remarks(first)}")
        constants = [f"{name} ({' or '.join(kinds)})" for name, kinds in each.constants.items()]
        lines.append(f"  held constant: {', '.join(constants) or 'nothing'}")
    return "\n".join(lines)


def _counted(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _remarks(row: Row):
    remarks = []
    if row.zeros:
        remarks.append(f"{_counted(row.zeros, 'entry', 'entries')} with zero gradient")
    if row.kinks:
        remarks.append(f"{row.kinks} at a kink")
    if row.vacuous:
        remarks.append(f"zero up to rounding in {_counted(row.vacuous, 'case')}")
    return f"  ({'; '.join(remarks)})" if remarks else ""


def summary(surveys: list[Survey], constants: tuple[str, ...], seconds: float) -> str:
    """Summarise the coverage, the time and the outcome in two lines.

    Parameters
    ----------
    surveys : list of Survey
    constants : tuple of str
        Operations that have no gradient.
    seconds : float

    Returns
    -------
    text : str
    """
    rows = [row for each in surveys for by_plan in each.rows.values() for row in by_plan.values()]
    subjects = {each.subject.name for each in surveys}
    models = len(subjects & set(MODELS))
    counts = {"operation": len(subjects) - models, "model": models}
    checked = " and ".join(_counted(n, noun) for noun, n in counts.items() if n)
    covered = (
        f"{checked} in {_counted(len(surveys), 'variant')}; "
        f"{_counted(sum(row.cases for row in rows), 'gradient')} of "
        f"{_counted(sum(row.entries for row in rows), 'entry', 'entries')} "
        f"compared in {seconds:.1f} s"
    )
    if models and len(subjects) > models:
        covered += f"; constants without a gradient: {', '.join(constants)}"
    failed = sum(each.failure is not None for each in surveys)
    return f"{covered}\n{f'{failed} FAIL' if failed else 'all right'}"


def failure_text(survey: Survey, backend: str) -> str:
    """Format the error, its smallest case, and the command that runs that case again."""
    failure = survey.failure
    error = failure.error
    kind = "" if type(error).__name__ == "GradientError" else f"{type(error).__name__}: "
    return (
        f"{survey.label}, {failure.method}, {failure.dtype}: {kind}{error}\n"
        f"  smallest failing case: {command(survey, backend)}"
    )


def command(survey: Survey, backend: str) -> str:
    """Return the command that runs a failing case again."""
    failure, subject = survey.failure, survey.subject
    flag = "--model" if subject.name in MODELS else "--op"
    case = ",".join(f"{name}={value}" for name, value in failure.parameters.items())
    words = [flag, subject.name, "--method", failure.method, "--dtype", failure.dtype]
    words += ["--backend", backend] if backend != "numpy" else []
    return f"{PROGRAM} {shlex.join([*words, '--case', case])}"


def results(surveys: list[Survey], backend: str) -> dict:
    """Return the measurements for JSON.

    Parameters
    ----------
    surveys : list of Survey
    backend : str

    Returns
    -------
    results : dict
        ``rows``, one per input, method and dtype; ``failures``.
    """
    rows = [
        {"subject": each.subject.name, "variant": each.variant, "input": name}
        | {"method": method, "dtype": dtype}
        | vars(row)
        for each in surveys
        for name, by_plan in each.rows.items()
        for (method, dtype), row in by_plan.items()
    ]
    failures = [
        {"subject": each.subject.name, "variant": each.variant, "message": str(each.failure.error)}
        | {"command": command(each, backend)}
        for each in surveys
        if each.failure
    ]
    return {"rows": rows, "failures": failures}
