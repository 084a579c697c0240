"""What a training writes after each evaluation: log file, picture, event files."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from kvnet.cli.arguments import check_outputs, path_name
from kvnet.cli.curves import Results, TrainingPicture
from kvnet.cli.event_files import EventFiles, check_event_folder
from kvnet.cli.picture import check_installed, picture_name
from kvnet.files.atomic_file import write_atomically

FILES = ("output_file", "param_output_file", "log_file", "plot")


def add_pictures(parser: argparse.ArgumentParser, drawn: str) -> None:
    """Add the flags ``--plot`` and ``--tensorboard``; `drawn` says what is in the picture."""
    parser.add_argument(
        "--plot", type=picture_name, metavar="FILE", help=f"draw {drawn}, as .png, .svg or .pdf"
    )
    parser.add_argument(
        "--tensorboard",
        type=path_name,
        metavar="DIR",
        help="folder to write event files for TensorBoard to",
    )


def check_output_flags(arguments: argparse.Namespace, kept: dict[str, Iterable[Path]]) -> None:
    """Refuse outputs that cannot be written or must not be, before hours of training.

    Parameters
    ----------
    arguments : argparse.Namespace
    kept : dict of str to iterable of Path
        Other paths that the command uses, by their flags.

    Raises
    ------
    InputError
        See `check_outputs`. Or if a package is missing that draws or writes.
    """
    if arguments.plot:
        check_installed("--plot", "matplotlib")
    if arguments.tensorboard:
        check_installed("--tensorboard", "tensorboardX")
    outputs = {"--" + name.replace("_", "-"): getattr(arguments, name, None) for name in FILES}
    folder = {"--tensorboard": [Path(arguments.tensorboard)]} if arguments.tensorboard else {}
    check_outputs(outputs, kept | folder, arguments.resume, not getattr(arguments, "ask", False))
    check_event_folder(arguments.tensorboard, kept, arguments.resume)


class Outputs:
    """What a training writes after each evaluation.

    Parameters
    ----------
    log_file : str or None
        Gets a JSON line per evaluation.
    picture : TrainingPicture or None
    event_files : EventFiles or None
    """

    def __init__(
        self,
        log_file: str | None,
        picture: TrainingPicture | None,
        event_files: EventFiles | None,
    ):
        self.log_file, self.picture, self.event_files = log_file, picture, event_files
        self._records = None

    def update(self, records: list[dict]) -> None:
        """Write the evaluations so far, if there are new ones.

        Raises
        ------
        InputError
            If the log file cannot be written. What else cannot is reported, see `code`.
        """
        if self._records is not None and len(records) == len(self._records):
            return
        self._records = records
        if self.log_file:
            lines = "".join(json.dumps(record) + "\n" for record in records)
            write_atomically(self.log_file, lines.encode())
        if self.event_files:
            self.event_files.update(records)
        if self.picture and records:
            self.picture.update(records)

    def flush(self) -> None:
        """Write what waits: the training ends early."""
        if self.picture:
            self.picture.picture.flush()

    def finish(self, reported: list[dict], results: Results) -> None:
        """Add the results to the picture; see `TrainingPicture.finish`."""
        if self.picture:
            self.picture.finish(self._records, reported, results)

    @property
    def code(self) -> int:
        """The exit code: 2 if the last picture or evaluation was not written, otherwise 0."""
        writers = filter(None, [self.picture and self.picture.picture, self.event_files])
        return 2 if any(writer.failed for writer in writers) else 0
