"""What every peer trains: the same questions in the same batches, from the same weights."""

from dataclasses import replace
from typing import NamedTuple

import numpy

from kvnet import PRESETS, Batch
from kvnet.data.babi import (
    Split,
    TaskData,
    embedded_task,
    encode_tasks,
    find_data_dir,
    read_task,
)
from kvnet.data.babi_format import TASK_NAMES
from kvnet.data.dataset import Dataset, Sizes
from kvnet.data.example import Example
from kvnet.data.vocabulary import Vocabulary
from kvnet.training.batches import Batches
from kvnet.training.recipes.key_value import Settings

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

    def load(self, xp=numpy) -> tuple[Settings, TaskData]:
        """Return the settings and the encoded tasks, their arrays in an array module."""
        settings = CONFIGS[self.config]
        numbers = [self.task] if self.config == "single" else list(TASK_NAMES)
        folder = find_data_dir(self.data_dir)
        tasks = [read_task(folder, n) if folder else embedded_task(n) for n in numbers]
        return settings, encode_tasks(tasks, settings.memory_size, SEED, xp)


class RandomRecipe(NamedTuple):
    """Random sentences in full memories, around the joint configuration.

    All questions ask about twice as many different sentences as there are slots, as in the joint
    batches of bAbI, or some questions each about a story of their own.

    Attributes
    ----------
    slots, vocabulary, hops, batch_size, embedding_size, feature_size : int
    length : int
        Words a sentence.
    questions_a_story : int
        So many consecutive questions share as many sentences as there are slots; 0 where all
        questions share twice as many.
    batches : int
    """

    slots: int = 50
    vocabulary: int = 175
    hops: int = 3
    batch_size: int = 50
    embedding_size: int = 40
    feature_size: int = 50
    length: int = 7  # bAbI's mean
    questions_a_story: int = 0
    batches: int = 4

    def load(self, xp=numpy) -> tuple[Settings, TaskData]:
        """Return the settings and the questions."""
        settings = replace(
            CONFIGS["joint"],
            hops=self.hops,
            batch_size=self.batch_size,
            memory_size=self.slots,
            embedding_size=self.embedding_size,
            feature_size=self.feature_size,
        )
        random = numpy.random.default_rng(SEED)
        vocabulary = Vocabulary(f"w{i:06}" for i in range(1, self.vocabulary))  # and the nil word
        words = numpy.array(vocabulary.words)

        def sentences(count):
            drawn = words[random.integers(len(words), size=(count, self.length))]
            return [tuple(sentence) for sentence in drawn.tolist()]

        def question(places):
            story = [pool[i] for i in places]
            return Example(story[0], story, story, str(random.choice(words)))

        examples, pool = [], sentences(2 * self.slots)
        for n in range(self.batches * self.batch_size + 1):
            if self.questions_a_story and n % self.questions_a_story == 0:
                pool = sentences(self.slots)
            again = not self.questions_a_story  # whether a sentence may stand in several slots
            examples.append(question(random.choice(len(pool), self.slots, replace=again)))
        sizes = Sizes(self.length, self.slots)
        split = Split(Dataset(examples, vocabulary, sizes, xp), numpy.ones(len(examples), int))
        return settings, TaskData(vocabulary, sizes, split, split, split)


class Workload:
    """Questions, batches and starting weights.

    Parameters
    ----------
    recipe : Recipe or RandomRecipe

    Attributes
    ----------
    recipe : Recipe or RandomRecipe
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

    def __init__(self, recipe: Recipe | RandomRecipe):
        self.recipe = recipe
        self.settings, self.data = recipe.load()
        self.vocabulary_size, self.sizes = len(self.data.vocabulary), self.data.sizes
        dataset, size = self.data.training.dataset, self.settings.batch_size
        self._order = Batches(len(dataset), size, shuffle_questions=False, random_state=SEED)
        self.steps_per_epoch = self._order.steps_per_epoch
        starts = range(0, self.steps_per_epoch * size, size)
        self.batches = [dataset.batch(slice(start, start + size)) for start in starts]

    def new_model(self, kernels: str, backend: str = "numpy"):
        """Make kvnet's model with the starting weights."""
        return self.settings.new_model(self.vocabulary_size, self.sizes, SEED, backend, kernels)

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
