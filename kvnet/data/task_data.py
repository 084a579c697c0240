"""The encoded questions that a model is trained and evaluated on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy

from kvnet.counter_random import permutation
from kvnet.data.dataset import Dataset, Sizes, sizes_of, vocabulary_of
from kvnet.data.example import Example
from kvnet.data.vocabulary import Vocabulary

SPLITS = ("testing", "training", "validation")


class Split(NamedTuple):
    """Encoded questions, each with the number of its task.

    Attributes
    ----------
    dataset : Dataset
    tasks : (N,) integer array
        Task number of each question.
    """

    dataset: Dataset
    tasks: numpy.ndarray


class TaskData(NamedTuple):
    """The encoded data for training and evaluating a model.

    Attributes
    ----------
    vocabulary : Vocabulary
    sizes : Sizes
    training : Split
    validation, testing : Split or None
        None if there are no questions.
    varied : Dataset or None
        The training questions in several variants, which are trained on in place of them.
    """

    vocabulary: Vocabulary
    sizes: Sizes
    training: Split
    validation: Split | None = None
    testing: Split | None = None
    varied: Dataset | None = None


def held_out(
    examples: Sequence[Example], count: int, random_state: int, name: str
) -> tuple[list[Example], list[Example]]:
    """Hold out examples, drawn at random; both parts stay in the order of the examples.

    Parameters
    ----------
    examples : sequence of Example
    count : int
        Number of examples to hold out.
    random_state : int
    name : str
        Name of the draw; another name draws other examples.

    Returns
    -------
    kept, drawn : list of Example
    """
    order = permutation(numpy, random_state, name, 0, len(examples))
    kept, drawn = (sorted(rows) for rows in (order[count:], order[:count]))
    return [examples[i] for i in kept], [examples[i] for i in drawn]


def encode_splits(
    splits: dict[str, list[tuple[int, Sequence[Example]]]], memory_size: int, xp=numpy
) -> TaskData:
    """Encode examples; the vocabulary and the sizes are those of all splits together.

    Parameters
    ----------
    splits : dict of str to list of (task, examples)
        By name: ``training``, ``validation``, ``testing``. The latter two are optional.
    memory_size : int
        Maximum number of slots; the data has fewer if all memories are shorter.
    xp : module
        Array module.

    Returns
    -------
    data : TaskData

    Raises
    ------
    InputError
        If an example cannot be encoded.
    """
    groups = [group for split in splits.values() for group in split]
    examples = [example for _, group in groups for example in group]
    vocabulary, sizes = vocabulary_of(examples), sizes_of(examples, memory_size)

    def encoded(split):
        members = [example for _, group in split for example in group]
        tasks = numpy.repeat([task for task, _ in split], [len(group) for _, group in split])
        return Split(Dataset.of_examples(members, vocabulary, sizes, xp), tasks)

    return TaskData(vocabulary, sizes, **{name: encoded(split) for name, split in splits.items()})
