"""Small data sets on a device, and trainings on them."""

import numpy

from kvnet import Example
from kvnet.backend import to_numpy
from kvnet.data.babi import embedded_task, encode_tasks
from kvnet.data.batch import Batch
from kvnet.data.task_data import encode_splits
from kvnet.training.fused_steps import steps_for
from kvnet.training.trainer import Trainer


def stories(xp, questions=60, memory_size=8):
    """Return simulated questions about stories; keys are values."""
    return encode_tasks([embedded_task(2, questions)], memory_size, random_state=0, xp=xp)


def key_values(xp, memory_size=8):
    """Return questions about memories whose keys and values differ, some slots empty."""
    rng = numpy.random.default_rng(3)
    words = numpy.array([f"w{n}" for n in range(9)])

    def sentences(count):
        return [" ".join(rng.choice(words, rng.integers(1, 4))) for _ in range(count)]

    examples = [
        Example.of_memory(sentences(1)[0], sentences(n), sentences(n), rng.choice(words))
        for n in rng.integers(1, 7, 32)
    ]
    return encode_splits({"training": [(0, examples)]}, memory_size, xp)


def on_device(xp, batch):
    """Copy a batch to a device; keys that are the values stay one array."""
    keys = xp.asarray(batch.keys)
    values = keys if batch.values is batch.keys else xp.asarray(batch.values)
    query, sentences, answer = map(xp.asarray, (batch.query, batch.sentences, batch.answer))
    return Batch(query, sentences, keys, values, answer)


def new_trainer(data, recipe, backend, kernels, seed=0):
    """Return a trainer of a new model on training data of questions or of a text."""
    model = recipe.new_model(data, seed, backend, kernels)
    return Trainer(model, getattr(data.training, "dataset", data.training), recipe, seed)


def train(trainer, count):
    """Take steps of one trainer."""
    steps_for([trainer]).train(count)


def assert_near(trainer, expected, tolerance=1e-5):
    """Assert that two trainings have the same parameters and moments, up to rounding."""
    assert trainer.step == expected.step
    vectors = {"": trainer.model.theta, **trainer.optimizer.vectors}
    for name, right in {"": expected.model.theta, **expected.optimizer.vectors}.items():
        error = numpy.linalg.norm(to_numpy(vectors[name]) - to_numpy(right))
        assert error <= tolerance * numpy.linalg.norm(to_numpy(right)), name
