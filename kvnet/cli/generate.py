"""The command that writes bAbI files: ``python -m kvnet.cli.generate --out made``."""

import sys
from collections.abc import Sequence
from pathlib import Path

from kvnet.files.atomic_file import write_atomically
from kvnet.cli.arguments import ArgumentParser
from kvnet.cli.exit_code import exit_code
from kvnet.data.babi_format import TASK_NAMES, file_name, format_stories
from kvnet.data.simulator import generate
from kvnet.errors import InputError

SPLITS = ("train", "test")


def write_task(folder: Path, task: int, questions: int, seed: int) -> None:
    """Write a task's training and test file, under their released names.

    Parameters
    ----------
    folder : Path
        Has to exist.
    task : int
        1 to 20.
    questions : int
        How many in each of the two files.
    seed : int

    Raises
    ------
    InputError
        If the task or the number of questions makes no sense, or a file cannot be written.
    """
    for split in SPLITS:
        stories = generate(task, questions, seed, split)
        write_atomically(folder / file_name(task, split), format_stories(stories).encode("utf-8"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line's by default.

    Returns
    -------
    code : int
        0, or as `exit_code` says.
    """
    parser = ArgumentParser(
        prog="python -m kvnet.cli.generate",
        description="Write bAbI task files, training and test, from the world simulator.",
    )
    parser.add_argument("--task", default="all", metavar="N", help="1 to 20, or all")
    parser.add_argument(
        "--questions", type=int, default=1000, metavar="N", help="questions in each file"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="the same seed writes the same bytes"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder, made if it is not there"
    )
    flags = parser.parse_args(sys.argv[1:] if arguments is None else arguments)

    def command():
        tasks = _tasks_named(flags.task)
        if flags.questions < 1:
            raise InputError(f"--questions: got {flags.questions}; give at least 1")
        _make_folder(flags.out)
        for task in tasks:
            write_task(flags.out, task, flags.questions, flags.seed)
        files = len(tasks) * len(SPLITS)
        print(f"wrote {files} files of {flags.questions} questions each to {flags.out}")
        return 0

    return exit_code(parser.prog, command)


def _tasks_named(name: str) -> list[int]:
    if name == "all":
        return list(TASK_NAMES)
    if not name.isdecimal() or int(name) not in TASK_NAMES:
        raise InputError(f"--task: got {name!r}; give a number from 1 to 20, or all")
    return [int(name)]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out: {folder} cannot be made ({error.strerror}); give a folder that can be written"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
