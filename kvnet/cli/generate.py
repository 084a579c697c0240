"""Command that writes generated bAbI task files: ``python -m kvnet.cli.generate --out made``."""

import sys
from collections.abc import Sequence
from pathlib import Path

from kvnet.cli.arguments import ArgumentParser, path_name, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.cli.generation import check_disk_space, check_generation, generation_text
from kvnet.data.babi_format import TASK_NAMES, file_name, format_stories
from kvnet.data.simulator import generate
from kvnet.errors import InputError, shown
from kvnet.files.atomic_file import write_atomically

SPLITS = ("train", "test")


def write_task(folder: Path, task: int, questions: int, seed: int) -> None:
    """Write the training and test file of a task, named like the released files.

    Parameters
    ----------
    folder : Path
        An existing folder.
    task : int
        1 to 20.
    questions : int
        Number of questions in each of the two files.
    seed : int

    Raises
    ------
    InputError
        If `task` or `questions` is out of range, or a file cannot be written.
    """
    for split in SPLITS:
        stories = generate(task, questions, seed, split)
        write_atomically(folder / file_name(task, split), format_stories(stories).encode("utf-8"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command-line arguments; by default those of the process.

    Returns
    -------
    code : int
        The exit code, see `exit_code`.
    """
    parser = ArgumentParser(
        prog="python -m kvnet.cli.generate",
        description="Generate bAbI training and test files with the world simulator.",
    )
    parser.add_argument(
        "--task", default="all", metavar="N", help="task number, 1 to 20, or 'all' (default: all)"
    )
    parser.add_argument(
        "--questions",
        type=whole_number(1),
        default=1000,
        metavar="N",
        help="number of questions per file (default: 1000)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(-(2**63), 2**63 - 1),
        default=1,
        metavar="N",
        help="random seed; the same seed gives the same files (default: 1)",
    )
    parser.add_argument(
        "--out",
        type=path_name,
        required=True,
        metavar="DIR",
        help="output folder; created if it does not exist",
    )

    def command():
        flags = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
        tasks, folder = _parse_tasks(flags.task), Path(flags.out)
        paths = [folder / file_name(task, split) for task in tasks for split in SPLITS]
        existing = next((path for path in paths if path.exists()), None)
        if existing:
            raise InputError(
                f"--out: {existing} exists already; give another folder, or delete the file"
            )
        check_generation(flags.questions, "--questions")
        _make_folder(folder)
        check_disk_space(folder, flags.questions * len(paths), "--questions")
        announcement = generation_text(flags.questions * len(paths))
        if announcement:
            print(announcement, file=sys.stderr, flush=True)
        for task in tasks:
            write_task(folder, task, flags.questions, flags.seed)
        print(f"wrote {len(paths)} files of {flags.questions} questions each to {folder}")
        return 0

    return exit_code(parser.prog, command)


def _parse_tasks(text: str) -> list[int]:
    if text == "all":
        return list(TASK_NAMES)
    if not text.isdecimal() or int(text) not in TASK_NAMES:
        raise InputError(f"--task: got {shown(text)}; give a number from 1 to 20, or 'all'")
    return [int(text)]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out: {folder} cannot be created ({error.strerror}); give a writable folder"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
