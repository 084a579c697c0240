"""bAbI tasks as training, validation and test examples.

The files and `Task` have the splits "train", "test" and sometimes "valid". `TaskData` names its
splits training, validation and testing. Without "valid" examples, validation is a random tenth of
each task's "train" examples and training holds the remaining ones. Testing holds the "test"
examples.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy

from kvnet.data.babi_format import file_name, read_stories
from kvnet.data.example import Example, examples_of
from kvnet.data.simulator import generate
from kvnet.data.task_data import TaskData, encode_splits, held_out
from kvnet.errors import InputError

VALIDATION_SHARE = 0.1
EMBEDDED_QUESTIONS = 1000
"""Default number of training questions and maximum number of test questions of a simulated task."""
EMBEDDED_SEED = 0


class Task(NamedTuple):
    """One bAbI task.

    Attributes
    ----------
    number : int
        1 to 20.
    train, test : list of Example
        The examples of the training file and of the test file.
    valid : list of Example
        The examples of the validation file; empty if there is none.
    """

    number: int
    train: list[Example]
    test: list[Example]
    valid: list[Example] = []  # noqa: RUF012  (never changed)


def find_data_dir(data_dir: str | None) -> Path | None:
    """Return the folder of the bAbI task files: `data_dir` if set, else found in ``$KVNET_DATA``.

    Parameters
    ----------
    data_dir : str, optional
        Must itself contain the task files. ``$KVNET_DATA`` may also contain them in its subfolder
        ``tasks_1-20_v1-2/en`` or ``babi/tasks_1-20_v1-2/en``.

    Returns
    -------
    folder : Path or None
        None if neither is set.

    Raises
    ------
    InputError
        If one is set but no task files are found.
    """
    path, origin = data_dir, "--data-dir"
    if path is None:
        path, origin = os.getenv("KVNET_DATA"), "KVNET_DATA"
    if path == "" and origin == "--data-dir":
        raise InputError("--data-dir: the name is empty; give one, or leave the flag out")
    if not path:
        return None
    folder = Path(path)
    candidates = [folder]
    if origin == "KVNET_DATA":
        candidates += [folder / "tasks_1-20_v1-2" / "en", folder / "babi/tasks_1-20_v1-2/en"]
    for candidate in candidates:
        if any(candidate.glob("qa*_train.txt")):
            return candidate
    problem = "holds no qa*_train.txt files" if folder.is_dir() else "is not a folder"
    raise InputError(f"{origin}: {folder} {problem}; give the folder of the bAbI task files")


def read_task(folder: Path, number: int) -> Task:
    """Read the files of a task: training, test and, if there is one, validation.

    Parameters
    ----------
    folder : Path
    number : int
        Task number, 1 to 20.

    Returns
    -------
    task : Task

    Raises
    ------
    InputError
        If a file is missing, violates the format or contains no question, or if there are two.
    """
    splits = {}
    for split in ("train", "test", "valid"):
        path = _file_of(folder, number, split)
        if path:
            splits[split] = examples_of(read_stories(path))
    task = Task(number, **splits)
    if not task.valid and len(task.train) < 2:
        raise InputError(
            f"{_file_of(folder, number, 'train')}: has one question, but one is held out for "
            f"validation; add questions, or a file {_short_name(number, 'valid')}"
        )
    return task


def _file_of(folder: Path, number: int, split: str) -> Path | None:
    """Return the file of a task, or None for a validation file that does not exist."""
    found = sorted(folder.glob(f"qa{number}_*_{split}.txt")) + [
        path for path in [folder / _short_name(number, split)] if path.exists()
    ]
    if len(found) > 1:
        raise InputError(
            f"{folder}: {found[0].name} and {found[1].name} are both the {split} file of task "
            f"{number}; keep one of them"
        )
    if not found and split != "valid":
        raise InputError(
            f"{folder / file_name(number, split)}: file of task {number} does not exist; add it or "
            "omit the task"
        )
    return found[0] if found else None


def _short_name(number, split):
    return f"qa{number}_{split}.txt"  # as in the release's folder en-valid


def embedded_task(number: int, questions: int = EMBEDDED_QUESTIONS) -> Task:
    """Generate the questions of a task with the simulator, with a fixed seed.

    Parameters
    ----------
    number : int
        Task number, 1 to 20.
    questions : int
        Number of training questions. The number of test questions is the same, but at most 1,000.

    Returns
    -------
    task : Task
    """
    counts = {"train": questions, "test": min(questions, EMBEDDED_QUESTIONS)}
    splits = {
        split: examples_of(generate(number, count, EMBEDDED_SEED, split))
        for split, count in counts.items()
    }
    return Task(number, **splits)


def encode_tasks(tasks: Sequence[Task], memory_size: int, random_state: int, xp=numpy) -> TaskData:
    """Hold out a validation split and encode all examples.

    The validation split is a random tenth of the `train` examples of each task that has no `valid`
    ones. The splits are ordered by task, then as in the files. Vocabulary and sizes are those of
    all texts together.

    Parameters
    ----------
    tasks : sequence of Task
    memory_size : int
        Maximum number of memory slots; the data has fewer if all stories are shorter.
    random_state : int
        Seed of the validation split.
    xp : module
        Array module to hold the arrays in.

    Returns
    -------
    data : TaskData
    """
    splits = {"training": [], "validation": [], "testing": []}
    for task in tasks:
        count = 0 if task.valid else max(1, int(len(task.train) * VALIDATION_SHARE))
        name = f"validation of task {task.number}"
        kept, drawn = held_out(task.train, count, random_state, name)
        splits["training"].append((task.number, kept))
        splits["validation"].append((task.number, drawn or task.valid))
        splits["testing"].append((task.number, task.test))
    return encode_splits(splits, memory_size, xp)
