"""Event files for TensorBoard, written with tensorboardX."""

import os
import socket
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import chain
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
    # Folders with other names are other runs, which TensorBoard shows next to these.
    runs = (folder.glob(f"{kind}-*/**/{PATTERN}") for kind in ("seed", "task", "start"))
    held = next(chain(folder.glob(PATTERN), *runs), None)
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
        If tensorboardX is not installed or cannot be imported.

    Attributes
    ----------
    failed : bool
        Whether evaluations were not written.
    """

    def __init__(self, folder: str, names: RunNames):
        check_installed("--tensorboard", "tensorboardX")
        try:
            import tensorboardX.summary  # noqa: F401  (here, not in the middle of a training)
        except Exception as error:  # such as a version of protobuf that does not fit
            raise InputError(
                f"--tensorboard: tensorboardX cannot be imported ({error}); install it again, or "
                "leave --tensorboard out"
            ) from None
        self.folder, self.names, self.failed = Path(folder).resolve(), names, False
        self._files, self._written, self._said = {}, {}, set()

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

    def _write(self, name, records):
        # Not with its SummaryWriter: that writes in a thread, and would block on a full disk.
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.summary import scalar

        events = []
        if name not in self._files:
            folder = self.folder.joinpath(*self.names.folders(records[0]))
            folder.mkdir(parents=True, exist_ok=True)
            ending = f"{time.time_ns()}.{socket.gethostname()}"
            self._files[name] = folder / PATTERN.replace("*", ending)
            # From step 0 on, TensorBoard drops what earlier files have.
            start = SessionLog(status=SessionLog.START)
            events += [{"file_version": "brain.Event:2"}, {"step": 0, "session_log": start}]
        events += [
            {"step": record["step"], "summary": scalar(tag, value)}
            for record in records
            for tag, value in _scalars(record)
        ]
        now = time.time()
        with open(self._files[name], "ab") as file:
            for fields in events:
                file.write(_framed(Event(wall_time=now, **fields).SerializeToString()))

    def _fail(self, error):
        self._files, self._written, self.failed = {}, {}, True
        reason = error.strerror or str(error)
        if reason not in self._said:
            self._said.add(reason)
            text = f"--tensorboard: {self.folder}: cannot be written ({reason}); check its space"
            print(one_line(text), file=sys.stderr, flush=True)


def _framed(content: bytes) -> bytes:
    """Return a record of an event file: length, content, and the checksum of each."""
    from tensorboardX.record_writer import masked_crc32c

    length = struct.pack("<Q", len(content))
    checksums = [struct.pack("<I", masked_crc32c(part)) for part in (length, content)]
    return length + checksums[0] + content + checksums[1]


def _scalars(record: dict, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the measures of a record with their names; those within another have both names."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _scalars(value, f"{prefix}{name}/")
        elif prefix or name not in IDENTITY:
            yield f"{prefix}{name}", value
