"""The report of the GPU benchmark: a JSON file, written after every figure, and its table."""

import json
from pathlib import Path
from typing import NamedTuple

from kvnet.files.atomic_file import write_atomically

SAME = ("commit", "gpu", "cupy", "data")  # keys of the head that two runs in one table must share


class Outcome(NamedTuple):
    """A figure, which is a row of the table.

    Attributes
    ----------
    quantity : str
        Description of the figure, with its unit.
    value : float or None
        None if it could not be measured.
    target : str
        The target, or an empty string if there is none.
    met : bool or None
        Whether the target is met; None if there is none.
    """

    quantity: str
    value: float | None
    target: str = ""
    met: bool | None = None


class Report:
    """Outcomes by section, written to a file after each of them.

    Sections that are already in the file are kept if they were measured with the same commit, card,
    CuPy and data, so that several calls can make one table.

    Parameters
    ----------
    path : str
    head : dict
        Hardware, versions and data of the figures; it must have the keys in `SAME`.

    Raises
    ------
    InputError
        If the file cannot be written.
    """

    def __init__(self, path: str, head: dict):
        self.path, before = Path(path), _read(path)
        if not head["commit"] or any(before.get(name) != head[name] for name in SAME):
            before = {}
        self.sections = before.pop("sections", {})
        self.head = {**before, **head}
        self.write()

    def begin(self, name: str, command: str) -> None:
        """Start a section; figures of an earlier run of it are dropped."""
        self.sections.pop(name, None)  # so that the section is the last one
        self._section = {"command": command, "failed": "not finished", "outcomes": []}
        self.sections[name] = self._section

    def add(self, outcome: Outcome) -> None:
        """Add an outcome to the current section, and write the file."""
        self._section["outcomes"].append(outcome._asdict())
        self.write()

    def end(self, failed: str | None, versions: dict) -> None:
        """End the current section, and write the file.

        Parameters
        ----------
        failed : str or None
            Why the section failed; None if it did not.
        versions : dict
            Versions of libraries that the section imported, for the head.
        """
        self._section["failed"] = failed
        self.head |= versions
        self.write()

    def write(self) -> None:
        """Write the file."""
        content = {**self.head, "sections": self.sections}
        write_atomically(self.path, (json.dumps(content, indent=1) + "\n").encode())

    @property
    def outcomes(self) -> list[Outcome]:
        """All outcomes, in order."""
        sections = self.sections.values()
        return [Outcome(**outcome) for section in sections for outcome in section["outcomes"]]

    @property
    def all_met(self) -> bool:
        """Whether no section failed and no target was missed."""
        failed = any(section["failed"] for section in self.sections.values())
        return not failed and all(outcome.met is not False for outcome in self.outcomes)

    def table(self) -> str:
        """Return the head, the figures with targets and all figures, as text."""
        lines = [f"{name}: {value}" for name, value in self.head.items()]
        targets = [line(outcome) for outcome in self.outcomes if outcome.met is not None]
        figures = []
        for name, section in self.sections.items():
            figures += [line(Outcome(**outcome)) for outcome in section["outcomes"]]
            if section["failed"]:
                figures.append(f"{name}: {section['failed']} | | | failed")
        for title, rows in (("figures with targets", targets), ("all figures", figures)):
            lines += ["", f"| {title} | value | target | |", "|---|---|---|---|"]
            lines += [f"| {row} |" for row in rows]
        return "\n".join(lines)


def line(outcome: Outcome) -> str:
    """Return an outcome as a row of a table."""
    met = {True: "met", False: "missed", None: ""}[outcome.met]
    value = "not measured" if outcome.value is None else f"{outcome.value:,.7g}"
    return f"{outcome.quantity} | {value} | {outcome.target} | {met}"


def _read(path) -> dict:
    """Return an earlier report, or an empty dict if there is none."""
    try:
        content = json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
