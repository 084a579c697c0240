"""Names of the runs of a command, from their records."""

from typing import NamedTuple


class RunNames(NamedTuple):
    """Which of task, seed and start differ among the runs of a command."""

    tasks: bool = False
    seeds: bool = False
    starts: bool = False

    def parts(self, record: dict) -> list[str]:
        """Return the parts of a run's name, given one of its records: ``["seed 1", "start 0"]``."""
        parts = [f"seed {record['random_state']}"] if self.seeds else []
        if self.tasks:
            parts.append(f"task {next(iter(record['training_accuracy_by_task']))}")
        return parts + [f"start {record['start']}"] * self.starts

    def name(self, record: dict) -> str:
        """Return the name of a run; empty if there is only one."""
        return ", ".join(self.parts(record))

    def name_in_task(self, record: dict) -> str:
        """Return the name of a run among those of its task."""
        return self._replace(tasks=False).name(record)

    def folders(self, record: dict) -> list[str]:
        """Return the nested folders of a run, named as those of its checkpoint."""
        return [
            f"{kind}-{int(number):02}" if kind == "task" else f"{kind}-{number}"
            for kind, number in map(str.split, self.parts(record))
        ]

    def by_run(self, records: list[dict]) -> dict[str, list[dict]]:
        """Return the records of each run, in the order in which they were trained."""
        runs = {}
        for record in records:
            runs.setdefault(self.name(record), []).append(record)
        return runs
