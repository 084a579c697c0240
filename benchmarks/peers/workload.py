"""What every peer trains: the same questions in the same batches, from the same weights."""

from dataclasses import replace
from typing import NamedTuple

import numpy

from kvnet import PRESETS, Batch
from kvnet.data.babi import embedded_task, encode_tasks, find_data_dir, read_task
from kvnet.data.babi_format import TASK_NAMES
from kvnet.training.batches import Batches

SEED = 0
CONFIGS = {
    "joint": PRESETS["kv-joint"],
    "single": PRESETS["kv-single"],
    "gru": replace(PRESETS["kv-joint"], reader="simple_gru"),
}


class Recipe(NamedTuple):
    """What a workload is made of; small enough to send to a process.

    Attributes
    ----------
    config : str
        One of `CONFIGS`.
    task : int
        For ``single``; the others take all twenty.
    data_dir : str or None
        Folder of bAbI files; without one the simulator makes the questions.
    """

    config: str
    task: int
    data_dir: str | None


class Workload:
    """Questions, batches and starting weights.

    Parameters
    ----------
    recipe : Recipe

    Attributes
    ----------
    settings : Settings
    data : TaskData
    vocabulary_size : int
    sizes : Sizes
    batches : list of Batch
        All training batches, in the order of the questions.
    steps_per_epoch : int

    Raises
    ------
    InputError
        If the data cannot be read.
    """

    def __init__(self, recipe: Recipe):
        self.settings = CONFIGS[recipe.config]
        numbers = [recipe.task] if recipe.config == "single" else list(TASK_NAMES)
        folder = find_data_dir(recipe.data_dir)
        tasks = [read_task(folder, n) if folder else embedded_task(n) for n in numbers]
        self.data = encode_tasks(tasks, self.settings.memory_size, SEED)
        self.vocabulary_size, self.sizes = len(self.data.vocabulary), self.data.sizes
        dataset, size = self.data.training.dataset, self.settings.batch_size
        self._order = Batches(len(dataset), size, shuffle_questions=False, random_state=SEED)
        self.steps_per_epoch = self._order.steps_per_epoch
        starts = range(0, self.steps_per_epoch * size, size)
        self.batches = [dataset.batch(slice(start, start + size)) for start in starts]

    def new_model(self, kernels: str):
        """Make kvnet's model with the starting weights."""
        return self.settings.new_model(self.vocabulary_size, self.sizes, SEED, "numpy", kernels)

    def starting_weights(self) -> dict[str, numpy.ndarray]:
        """Return the weights that everybody starts from."""
        return {name: theta.copy() for name, theta in self.new_model("reference").params.items()}

    def batch_of(self, step: int) -> int:
        """Return which of `batches` a training step takes."""
        return int(self._order.rows(step)[0]) // self.settings.batch_size

    def test_batches(self, batch_size: int) -> list[Batch]:
        """Cut the test questions into batches, all full: the last question fills the last one."""
        dataset = self.data.testing.dataset
        rows = numpy.arange(-(-len(dataset) // batch_size) * batch_size)
        rows = numpy.minimum(rows, len(dataset) - 1).reshape(-1, batch_size)
        return [dataset.batch(part) for part in rows]

    def padded_sizes(self, batches: list[Batch]) -> list[int]:
        """Choose three numbers of sentences to pad batches to, for peers that want few shapes.

        They are the thirds of the batches' own numbers, rounded up to whole vectors of 16.
        """
        counts = [len(batch.sentences) for batch in batches]
        thirds = numpy.quantile(counts, [1 / 3, 2 / 3, 1], method="higher")
        return sorted({int(-(-count // 16) * 16) for count in thirds})


def padded_sentences(batch: Batch, padded_sizes: list[int]) -> numpy.ndarray:
    """Add empty sentences up to the next of the sizes."""
    count = len(batch.sentences)
    target = next(size for size in padded_sizes if size >= count)
    return numpy.pad(batch.sentences, ((0, target - count), (0, 0)))


def real_length(words: numpy.ndarray) -> int:
    """Return the number of word places that hold a word in any sentence."""
    return int(words.any(axis=0).nonzero()[0].max(initial=0)) + 1
