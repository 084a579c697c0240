"""The tables of the zoo: false verdicts, entries left out as kinks, tolerances."""

from statistics import median, quantiles

from kvnet.gradcheck import METHODS
from zoo.exceptions import reason
from zoo.foreign_function import WRONG


def usable(records: list[dict]) -> list[dict]:
    """Return the records that have verdicts and are no exceptions."""
    return [r for r in records if "verdicts" in r and reason(r["name"]) is None]


def false_verdicts(records: list[dict]) -> list[tuple[str, str, str]]:
    """List (form, check, function) of every false verdict."""
    return [
        (form, check, record["name"])
        for record in usable(records)
        for form, by_check in record["verdicts"].items()
        for check, said in by_check.items()
        if _is_false(record, form, check, said)
    ]


def _counts(record, form, check, said) -> bool:
    """Return whether a verdict counts: the check applies, and a wrong gradient differs clearly."""
    return said != "refused" and (form == "right" or record["differs"][form][check])


def _is_false(record, form, check, said) -> bool:
    wrong = said == "wrong" if form == "right" else said == "right"
    return wrong and _counts(record, form, check, said)


def verdict_table(records: list[dict]) -> str:
    """Format the numbers of false verdicts of those that count."""
    chosen = usable(records)
    checks = list(chosen[0]["verdicts"]["right"])
    lines = ["| gradient | " + " | ".join(checks) + " |", "|" + "---|" * (1 + len(checks))]
    for form in ("right", *WRONG):
        cells = ['right: called "wrong"' if form == "right" else f'{form}: called "right"']
        with_form = [r for r in chosen if form in r["verdicts"]]
        for check in checks:
            said = [(r, form, check, r["verdicts"][form][check]) for r in with_form]
            counted = [each for each in said if _counts(*each)]
            cells.append(f"{sum(_is_false(*each) for each in counted)} of {len(counted)}")
        lines.append("| " + " | ".join(cells) + " |")
    seconds = [[r["seconds"][c] for r in chosen if c in r["seconds"]] for c in checks]
    times = [f"{1e3 * median(s):.1f}" if s else "" for s in seconds]
    lines.append("| milliseconds, median | " + " | ".join(times) + " |")
    refused = [sum(r["verdicts"]["right"][c] == "refused" for r in chosen) for c in checks]
    lines.append("| cannot be checked by it | " + " | ".join(map(str, refused)) + " |")
    return "\n".join(lines)


def kink_table(records: list[dict]) -> str:
    """Format the number of entries left out as kinks, and of those without a kink."""
    lines = ["| method | entries left out as kinks | of them not at a kink |", "|---|---|---|"]
    for method in METHODS:
        left_out = sum(r["kinks"].get(method, 0) for r in usable(records))
        false = sum(r["false_kinks"].get(method, 0) for r in usable(records))
        lines.append(f"| {method} | {left_out} | {false} |")
    return "\n".join(lines)


def tolerance_table(records: list[dict], before: list[dict] | None) -> str:
    """Format the tolerances of accepted right gradients, beside an earlier run's.

    Only inputs that both runs have accepted are compared.
    """
    columns = ["inputs", "median", "99th percentile"]
    columns += [f"{c} before" for c in columns[1:]] if before else []
    lines = ["| method | " + " | ".join(columns) + " |", "|" + "---|" * (1 + len(columns))]
    for method in METHODS:
        now = _tolerances(records, method)
        old = _tolerances(before, method) if before else now
        both = [key for key in now if key in old]
        if len(both) < 2:
            continue
        cells = [method, str(len(both))]
        for run in (now, old) if before else (now,):
            values = [run[key] for key in both]
            cells += [f"{median(values):.1e}", f"{quantiles(values, n=100)[98]:.1e}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _tolerances(records, method):
    return {
        (record["name"], number): tolerance
        for record in usable(records)
        if record["verdicts"]["right"][method] == "right"
        for number, tolerance in enumerate(record["tolerances"].get(method, []))
    }


def left_out(records: list[dict]) -> list[str]:
    """List the functions that are not in the tables, each with the reason."""
    lines = []
    for record in records:
        why = record.get("unusable") or record.get("undefined") or reason(record["name"])
        lines += [f"{record['name']}: {why}"] if why else []
    return lines
