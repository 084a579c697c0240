"""What the GPU benchmark writes: a JSON file that grows with every figure, and a table of it."""

import json
from pathlib import Path
from typing import NamedTuple

from kvnet.files.atomic_file import write_atomically

SAME = ("commit", "gpu", "cupy", "data")  # what two runs must share for one table


class Outcome(NamedTuple):
    """A line of the table.

    Attributes
    ----------
    what : str
    got : float or None
        None where it could not be measured.
    bar : str
        What it is held against, or nothing.
    met : bool or None
        None where there is no bar.
    """

    what: str
    got: float | None
    bar: str = ""
    met: bool | None = None


class Report:
    """Outcomes by section, in a file from the first one on.

    Sections that are in the file already stay, if they are of the same commit, card, CuPy and data:
    a table may come from several calls.

    Parameters
    ----------
    path : str
    head : dict
        What the figures are measured with; it has what `SAME` names.

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
        """Begin a section."""
        self.sections.pop(name, None)  # so that it comes last
        self._section = {"command": command, "failed": "not finished", "outcomes": []}
        self.sections[name] = self._section

    def add(self, outcome: Outcome) -> None:
        """Take down an outcome."""
        self._section["outcomes"].append(outcome._asdict())
        self.write()

    def end(self, failed: str | None, versions: dict) -> None:
        """End a section, and say what it failed of; note versions that are known by now."""
        self._section["failed"] = failed
        self.head |= versions
        self.write()

    def write(self) -> None:
        """Write the file."""
        content = {**self.head, "sections": self.sections}
        write_atomically(self.path, (json.dumps(content, indent=1) + "\n").encode())

    @property
    def outcomes(self) -> list[Outcome]:
        """All of them, in order."""
        sections = self.sections.values()
        return [Outcome(**outcome) for section in sections for outcome in section["outcomes"]]

    @property
    def all_met(self) -> bool:
        """Whether no section failed and no bar was missed."""
        failed = any(section["failed"] for section in self.sections.values())
        return not failed and all(outcome.met is not False for outcome in self.outcomes)

    def table(self) -> str:
        """Write what was measured with, then the bars, then all figures."""
        lines = [f"{name}: {value}" for name, value in self.head.items()]
        bars = [line(outcome) for outcome in self.outcomes if outcome.met is not None]
        figures = []
        for name, section in self.sections.items():
            figures += [line(Outcome(**outcome)) for outcome in section["outcomes"]]
            if section["failed"]:
                figures.append(f"{name}: {section['failed']} | | | failed")
        for title, rows in (("bars", bars), ("all figures", figures)):
            lines += ["", f"| {title} | got | held against | |", "|---|---|---|---|"]
            lines += [f"| {row} |" for row in rows]
        return "\n".join(lines)


def line(outcome: Outcome) -> str:
    """Write an outcome as a line of a table."""
    met = {True: "met", False: "missed", None: ""}[outcome.met]
    got = "not measured" if outcome.got is None else f"{outcome.got:,.7g}"
    return f"{outcome.what} | {got} | {outcome.bar} | {met}"


def _read(path) -> dict:
    """Return an earlier report; nothing where there is none."""
    try:
        content = json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
