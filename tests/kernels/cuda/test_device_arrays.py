"""What runs on NumPy runs on a device's arrays, and a step never waits for the device.

The device is `strict_arrays`, which refuses and counts what CuPy would; and a GPU, if there is one.
"""

import numpy
import pytest
from conftest import random_batch, small_model
from strict_arrays import CONSTANTS, METHODS, SAME_AS_NUMPY, WAITS, counted

from kvnet import Batch, QuestionAnswerer, Settings, example
from kvnet.backend import array_module, to_numpy
from kvnet.data.babi import embedded_task, encode_tasks
from kvnet.training.trainer import Trainer

READERS = ["bow", "simple_gru"]


def on_device(xp, batch):
    keys, values = xp.asarray(batch.keys), xp.asarray(batch.values)
    keys, values = keys, keys if batch.values is batch.keys else values
    return Batch(
        xp.asarray(batch.query),
        xp.asarray(batch.sentences),
        keys,
        values,
        xp.asarray(batch.answer),
    )


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("same", [True, False], ids=["keys are values", "keys and values"])
@pytest.mark.parametrize("mask_padding", [False, True])
def test_a_step_and_a_prediction_copy_nothing(device, rng, reader, same, mask_padding):
    options = {"mask_padding": mask_padding, "keep_prob": 1.0 if reader == "bow" else 0.7}
    options |= {"kernels": "reference"}
    batch = random_batch(rng, same)
    cpu, gpu = (small_model(reader, backend=name, **options) for name in ("numpy", "cupy"))
    there = on_device(device, batch)
    with counted(device) as transfers:
        loss, gradient = gpu.loss_and_gradient(there, 0.1, step=3)
        words, (p, attention) = gpu.predict(there), gpu.predict_proba(there)
    assert transfers == []
    expected_loss, expected = cpu.loss_and_gradient(batch, 0.1, step=3)
    assert float(loss) == pytest.approx(expected_loss, rel=1e-12)
    numpy.testing.assert_allclose(to_numpy(gradient), expected, rtol=1e-9, atol=1e-12)
    assert (to_numpy(words) == cpu.predict(batch)).all()
    numpy.testing.assert_allclose(to_numpy(p), cpu.predict_proba(batch)[0], rtol=1e-9)
    numpy.testing.assert_allclose(to_numpy(attention), cpu.predict_proba(batch)[1], rtol=1e-9)


RECIPE = Settings(batch_size=16, embedding_size=12, feature_size=14)


def trainer_on(name, recipe=RECIPE, kernels="reference"):
    xp = array_module(name)
    data = encode_tasks([embedded_task(2, 100)], 20, random_state=0, xp=xp)
    model = recipe.new_model(len(data.vocabulary), data.sizes, 0, name, kernels)
    return Trainer(model, data.training.dataset, recipe, 0)


@pytest.mark.parametrize("reader", READERS)
def test_a_training_step_copies_nothing_once_its_batch_is_there(device, reader):
    recipe = Settings(batch_size=16, embedding_size=12, feature_size=14, reader=reader)
    trainer, expected = trainer_on("cupy", recipe), trainer_on("numpy", recipe)
    epoch = trainer.batches.steps_per_epoch
    for _ in range(epoch):
        trainer.train(1)
    with counted(device) as transfers:
        for _ in range(epoch - 1):
            trainer.train(1)
    assert transfers == []
    while expected.step < trainer.step:
        expected.train(1)
    theta = to_numpy(trainer.model.theta)
    error = numpy.linalg.norm(theta - expected.model.theta) / numpy.linalg.norm(theta)
    assert error < 1e-5


def test_a_checkpoint_goes_to_the_device_and_back(device, tmp_path):
    town = {"keys": ["capital france", "capital peru"], "values": ["paris", "lima"]}
    examples = [
        example("capital france?", answer="paris", **town),
        example("capital peru?", answer="lima", **town),
    ]
    settings = Settings(epochs=20, learning_rate=0.01, batch_size=2)
    answerer = QuestionAnswerer(settings, "cupy", kernels="reference").fit(examples)
    answerer.save(tmp_path / "device.safetensors")
    here = QuestionAnswerer.load(tmp_path / "device.safetensors")
    assert (here.model.theta == to_numpy(answerer.model.theta)).all()
    here.save(tmp_path / "host.safetensors")
    assert (tmp_path / "host.safetensors").read_bytes() == (
        tmp_path / "device.safetensors"
    ).read_bytes()
    back = QuestionAnswerer.load(tmp_path / "host.safetensors", "cupy", "reference")
    assert back.predict(examples)[0].probability == pytest.approx(
        here.predict(examples)[0].probability, rel=1e-5
    )


def test_cupy_has_what_the_strict_arrays_have():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    functions = [*SAME_AS_NUMPY, *CONSTANTS, *WAITS, "ascontiguousarray", "asarray"]
    assert [name for name in functions if not hasattr(cupy, name)] == []
    assert [name for name in (*METHODS, "get", "fill") if not hasattr(cupy.ndarray, name)] == []
