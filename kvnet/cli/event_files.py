"""Event files for TensorBoard, written with tensorboardX."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from kvnet.cli.picture import check_installed
from kvnet.cli.run_names import RunNames
from kvnet.errors import InputError, one_line

IDENTITY = ("random_state", "start", "epoch", "step")
PATTERN = "events.out.tfevents.*"


def check_event_folder(name: str | None, kept: dict[str, Iterable[Path]], replace: bool) -> None:
    """Make the folder of the event files, and refuse one that must not or cannot be used.

    Parameters
    ----------
    name : str or None
        The folder.
    kept : dict of str to iterable of Path
        Other paths that the command uses, by their flags.
    replace : bool
        Whether it may have event files already.

    Raises
    ------
    InputError
    """
    if name is None:
        return
    folder = Path(name)
    for flag, paths in kept.items():
        if folder.resolve() in {path.resolve() for path in paths}:
            raise InputError(f"--tensorboard and {flag} both name {folder}; give another to one")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--tensorboard: {folder} is not a folder; give another name")
    held = next(folder.rglob(PATTERN), None)
    if held and not replace:
        raise InputError(
            f"--tensorboard: {held} exists already; give another folder, or add --resume to a run "
            "that continues"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--tensorboard: {folder} cannot be made ({error.strerror}); give another folder"
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"--tensorboard: the folder {folder} cannot be written; give another")


class EventFiles:
    """An event file per run, with each number of its records as a scalar.

    What cannot be written is reported in one line on standard error and is tried again with the
    next evaluation, in new files.

    Parameters
    ----------
    folder : str
    names : RunNames
        A run's file is below the folder if there are several.

    Raises
    ------
    InputError
        If tensorboardX is not installed.

    Attributes
    ----------
    failed : bool
        Whether evaluations were not written.
    """

    def __init__(self, folder: str, names: RunNames):
        check_installed("--tensorboard", "tensorboardX")
        self.folder, self.names, self.failed = Path(folder).resolve(), names, False
        self._writers, self._written, self._said = {}, {}, set()

    def update(self, records: list[dict]) -> None:
        """Write the evaluations that are not written yet."""
        try:
            for name, of_run in self.names.by_run(records).items():
                new = of_run[self._written.get(name, 0) :]
                if new:
                    self._write(name, new)
                    self._written[name] = len(of_run)
            self.failed = False
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            with suppress(OSError):
                writer.close()
        self._writers, self._written = {}, {}

    def _write(self, name, records):
        # Not its SummaryWriter: that writes in a thread, and would block on a full disk.
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.summary import scalar

        writer = self._writers.get(name)
        if writer is None:
            folder = self.folder.joinpath(
                *(part.replace(" ", "-") for part in self.names.parts(records[0]))
            )
            folder.mkdir(parents=True, exist_ok=True)
            suffix = f".{time.time_ns()}"
            writer = self._writers[name] = EventsWriter(str(folder / "events"), suffix)
            start = SessionLog(status=SessionLog.START)  # replaces what earlier files have
            writer.write_event(Event(wall_time=time.time(), step=0, session_log=start))
        for record in records:
            for tag, value in _scalars(record):
                event = Event(wall_time=time.time(), step=record["step"])
                event.summary.CopyFrom(scalar(tag, value))
                writer.write_event(event)
        writer.flush()

    def _fail(self, error):
        self.close()
        self.failed = True
        reason = error.strerror or str(error)
        if reason not in self._said:
            self._said.add(reason)
            text = f"--tensorboard: {self.folder}: cannot be written ({reason}); check its space"
            print(one_line(text), file=sys.stderr, flush=True)


def _scalars(record: dict, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the measures of a record with their names; those within another have both names."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _scalars(value, f"{prefix}{name}/")
        elif prefix or name not in IDENTITY:
            yield f"{prefix}{name}", value
