"""The workload of all peers: the same questions, batches and starting weights."""

from dataclasses import replace
from typing import NamedTuple

import numpy

from kvnet import KEY_VALUE_PRESETS, Example, KeyValueRecipe
from kvnet.data.babi import embedded_task, encode_tasks, find_data_dir, read_task
from kvnet.data.babi_format import TASK_NAMES
from kvnet.data.batch import Batch
from kvnet.data.dataset import Dataset, Sizes
from kvnet.data.task_data import Split, TaskData
from kvnet.data.vocabulary import Vocabulary

SEED = 0
CONFIGS = {
    "joint": KEY_VALUE_PRESETS["kv-joint"],
    "single": KEY_VALUE_PRESETS["kv-single"],
    "gru": replace(KEY_VALUE_PRESETS["kv-joint"], reader="simple_gru"),
}


class BabiSpec(NamedTuple):
    """The description of a workload on bAbI; small enough to send to a process.

    Attributes
    ----------
    config : str
        One of `CONFIGS`.
    task : int
        Task of the configuration ``single``; the others use all twenty.
    data_dir : str or None
        Folder of bAbI files; without one the simulator makes the questions.
    """

    config: str
    task: int
    data_dir: str | None

    def load(self, xp=numpy) -> tuple[KeyValueRecipe, TaskData]:
        """Return the recipe, and the encoded tasks as arrays of the module `xp`."""
        recipe = CONFIGS[self.config]
        task_ids = [self.task] if self.config == "single" else list(TASK_NAMES)
        folder = find_data_dir(self.data_dir)
        tasks = [read_task(folder, n) if folder else embedded_task(n) for n in task_ids]
        return recipe, encode_tasks(tasks, recipe.memory_size, SEED, xp)


class RandomSpec(NamedTuple):
    """Random sentences in full memories; by default of the size of the joint configuration.

    Either all questions share twice as many different sentences as there are slots, which is
    similar to the joint batches of bAbI, or each group of consecutive questions has its own story.

    Attributes
    ----------
    slots, vocabulary, hops, batch_size, embedding_size, feature_size : int
    length : int
        Words per sentence.
    questions_per_story : int
        Number of consecutive questions that share a story, which has as many sentences as there are
        slots; 0 if all questions share twice as many sentences.
    batches : int
        Number of training batches.
    """

    slots: int = 50
    vocabulary: int = 175
    hops: int = 3
    batch_size: int = 50
    embedding_size: int = 40
    feature_size: int = 50
    length: int = 7  # bAbI's mean
    questions_per_story: int = 0
    batches: int = 4

    def load(self, xp=numpy) -> tuple[KeyValueRecipe, TaskData]:
        """Return the recipe, and the questions as arrays of the module `xp`."""
        recipe = replace(
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

        def question(indices):
            story = [pool[i] for i in indices]
            return Example(story[0], story, story, str(random.choice(words)))

        examples, pool = [], sentences(2 * self.slots)
        for n in range(self.batches * self.batch_size + 1):
            if self.questions_per_story and n % self.questions_per_story == 0:
                pool = sentences(self.slots)
            repeat = not self.questions_per_story  # whether a sentence may be in several slots
            examples.append(question(random.choice(len(pool), self.slots, replace=repeat)))
        sizes = Sizes(self.length, self.slots)
        dataset = Dataset.of_examples(examples, vocabulary, sizes, xp)
        split = Split(dataset, numpy.ones(len(examples), int))
        return recipe, TaskData(vocabulary, sizes, split, split, split)


class Workload:
    """Questions, batches and starting weights.

    Parameters
    ----------
    spec : BabiSpec or RandomSpec

    Attributes
    ----------
    spec : BabiSpec or RandomSpec
    recipe : KeyValueRecipe
    data : TaskData
    vocabulary_size : int
    sizes : Sizes
        Sentence and memory sizes of the data.
    batches : list of Batch
        All training batches, in the order of the questions.
    steps_per_epoch : int
    clip_norm : float
        Largest norm of a parameter's gradient, of the loss summed over a batch.

    Raises
    ------
    InputError
        If the data cannot be read.
    """

    def __init__(self, spec: BabiSpec | RandomSpec):
        self.spec = spec
        self.recipe, self.data = spec.load()
        self.vocabulary_size, self.sizes = len(self.data.vocabulary), self.data.sizes
        dataset, size = self.data.training.dataset, self.recipe.batch_size
        self._schedule = self.recipe.new_batches(len(dataset), SEED)
        self.steps_per_epoch = self._schedule.steps_per_epoch
        rows = numpy.arange(self.steps_per_epoch * size).reshape(-1, size)
        self.batches = [dataset.batch(of_batch) for of_batch in rows]
        optimizer = self.recipe.new_optimizer(
            self.new_model("reference"), SEED, self.steps_per_epoch
        )
        self.clip_norm = optimizer.rule.clip_norm

    def new_model(self, kernels: str, backend: str = "numpy"):
        """Return kvnet's model with the starting weights."""
        return self.recipe.new_model(self.data, SEED, backend, kernels)

    def starting_weights(self) -> dict[str, numpy.ndarray]:
        """Return copies of the weights that all peers start from, by name."""
        return {name: theta.copy() for name, theta in self.new_model("reference").params.items()}

    def batch_of(self, step: int) -> int:
        """Return the index in `batches` of a training step's batch."""
        return int(self._schedule.next_rows(step, 1)[0, 0]) // self.recipe.batch_size

    def test_batches(self, batch_size: int) -> list[Batch]:
        """Split the test questions into full batches; the last question pads the last batch."""
        dataset = self.data.testing.dataset
        rows = numpy.arange(-(-len(dataset) // batch_size) * batch_size)
        rows = numpy.minimum(rows, len(dataset) - 1).reshape(-1, batch_size)
        return [dataset.batch(part) for part in rows]

    def padded_sizes(self, batches: list[Batch]) -> list[int]:
        """Return at most three sentence counts to pad batches to, for peers that need few shapes.

        They are the terciles and the maximum of the batches' sentence counts, rounded up to
        multiples of 16.
        """
        counts = [len(batch.sentences) for batch in batches]
        thirds = numpy.quantile(counts, [1 / 3, 2 / 3, 1], method="higher")
        return sorted({int(-(-count // 16) * 16) for count in thirds})


def padded_sentences(batch: Batch, padded_sizes: list[int]) -> numpy.ndarray:
    """Pad the batch's sentences with empty ones up to the next of the sizes."""
    count = len(batch.sentences)
    target = next(size for size in padded_sizes if size >= count)
    return numpy.pad(batch.sentences, ((0, target - count), (0, 0)))


def real_length(words: numpy.ndarray) -> int:
    """Return the length of the longest sentence, without padding."""
    return int(words.any(axis=0).nonzero()[0].max(initial=0)) + 1
