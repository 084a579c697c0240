"""bAbI tasks as training, validation and test examples."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy

from kvnet.counter_random import permutation
from kvnet.data.babi_format import file_name, read_stories
from kvnet.data.dataset import Dataset, sizes_of, vocabulary_of
from kvnet.data.example import Example, examples_of
from kvnet.data.simulator import generate
from kvnet.errors import InputError

VALIDATION_SHARE = 0.1
EMBEDDED_QUESTIONS = 1000
EMBEDDED_SEED = 0


class Task(NamedTuple):
    """One bAbI task.

    Attributes
    ----------
    number : int
        1 to 20.
    train, test : list of Example
    """

    number: int
    train: list[Example]
    test: list[Example]


class Split(NamedTuple):
    """Encoded questions with the task each belongs to.

    Attributes
    ----------
    dataset : Dataset
    tasks : (N,) integer array
    """

    dataset: Dataset
    tasks: numpy.ndarray


class TaskData(NamedTuple):
    """What a model trains on and is measured on.

    Attributes
    ----------
    vocabulary : Vocabulary
    sizes : Sizes
    training, validation, testing : Split
    """

    vocabulary: object
    sizes: object
    training: Split
    validation: Split
    testing: Split


def find_data_dir(data_dir: str | None) -> Path | None:
    """Find the folder of task files: the one given, else the one under ``$KVNET_DATA``.

    Parameters
    ----------
    data_dir : str, optional

    Returns
    -------
    folder : Path or None
        None where neither is set.

    Raises
    ------
    InputError
        If one is set and is no folder with task files.
    """
    named, origin = (
        (data_dir, "--data-dir") if data_dir else (os.getenv("KVNET_DATA"), "KVNET_DATA")
    )
    if not named:
        return None
    folder = Path(named)
    candidates = [folder]
    if origin == "KVNET_DATA":
        candidates += [folder / "tasks_1-20_v1-2" / "en", folder / "babi/tasks_1-20_v1-2/en"]
    for candidate in candidates:
        if any(candidate.glob("qa*_train.txt")):
            return candidate
    problem = "holds no qa*_train.txt files" if folder.is_dir() else "is not a folder"
    raise InputError(f"{origin}: {folder} {problem}; give the folder with the bAbI task files")


def read_task(folder: Path, number: int) -> Task:
    """Read a task's two files.

    Parameters
    ----------
    folder : Path
    number : int

    Returns
    -------
    task : Task

    Raises
    ------
    InputError
        If a file is missing or breaks the format.
    """
    splits = {}
    for split in ("train", "test"):
        path = folder / file_name(number, split)
        if not path.exists():
            raise InputError(
                f"{path}: task {number} has no such file; add it or leave the task out"
            )
        splits[split] = examples_of(read_stories(path))
        if not splits[split]:
            raise InputError(f"{path}: holds no question; check that it is a bAbI task file")
    return Task(number, **splits)


def embedded_task(number: int, questions: int = EMBEDDED_QUESTIONS) -> Task:
    """Make a task's questions with the simulator; always the same ones.

    Parameters
    ----------
    number : int
    questions : int
        For training. For testing there are as many, but at most 1,000.

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
    """Hold out validation questions and encode everything.

    A tenth of each task's training questions, drawn at random, is held out. The others stand task
    after task, in the files' order. Vocabulary and sizes are taken over training and test text.

    Parameters
    ----------
    tasks : sequence of Task
    memory_size : int
        The most slots; fewer where all stories are shorter.
    random_state : int
        Seed of the draw.
    xp : module
        Array module.

    Returns
    -------
    data : TaskData
    """
    everything = [example for task in tasks for example in (*task.train, *task.test)]
    vocabulary, sizes = vocabulary_of(everything), sizes_of(everything, memory_size)
    parts = {"training": [], "validation": [], "testing": []}
    for task in tasks:
        n = len(task.train)
        order = permutation(numpy, random_state, f"validation of task {task.number}", 0, n)
        held_out = max(1, int(n * VALIDATION_SHARE))
        for name, rows in (("validation", order[:held_out]), ("training", order[held_out:])):
            parts[name].append((task.number, [task.train[i] for i in sorted(rows)]))
        parts["testing"].append((task.number, task.test))

    def split(members):
        examples = [example for _, part in members for example in part]
        numbers = numpy.repeat([number for number, _ in members], [len(p) for _, p in members])
        return Split(Dataset.of_examples(examples, vocabulary, sizes, xp), numbers)

    return TaskData(vocabulary, sizes, **{name: split(part) for name, part in parts.items()})
