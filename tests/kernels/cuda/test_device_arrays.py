"""The textbook runs on a device's arrays, and a step never synchronises with the device.

The device is `strict_arrays`, which refuses and counts what CuPy would; and a GPU if there is one.
"""

import numpy
import pytest
from helpers.device_data import assert_near, new_trainer, on_device, stories
from helpers.small_models import (
    fact_chain_model,
    fact_memory_model,
    key_value_model,
    random_batch,
    random_fact_batch,
)
from helpers.strict_arrays import CONSTANTS, METHODS, SAME_AS_NUMPY, SYNCHRONISING, counted

from kvnet import Example, KeyValueRecipe, QuestionAnswerer
from kvnet.backend import array_module_of, to_numpy
from kvnet.data.fact_data import FactBatch
from kvnet.training.fused_steps import steps_for
from kvnet.updates.row_gradient import dense

READERS = ["bow", "simple_gru"]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("same", [True, False], ids=["keys are values", "keys and values"])
@pytest.mark.parametrize("mask_padding", [False, True])
def test_a_step_and_a_prediction_copy_nothing(device, rng, reader, same, mask_padding):
    options = {"reader": reader, "mask_padding": mask_padding}
    options["keep_prob"] = 1.0 if reader == "bow" else 0.7
    batch = random_batch(rng, same)
    on_cpu, on_gpu = (key_value_model(name, "reference", **options) for name in ("numpy", "cupy"))
    batch_on_device = on_device(device, batch)
    with counted(device) as transfers:
        loss, gradients = on_gpu.loss_and_gradient(batch_on_device, step=3)
        words = on_gpu.predict(batch_on_device)
        p, attention = on_gpu.predict_proba(batch_on_device)
    assert transfers == []
    expected_loss, expected = on_cpu.loss_and_gradient(batch, step=3)
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-12)
    for name, gradient in expected.items():
        numpy.testing.assert_allclose(to_numpy(gradients[name]), gradient, rtol=1e-9, atol=1e-12)
    assert (to_numpy(words) == on_cpu.predict(batch)).all()
    expected_p, expected_attention = on_cpu.predict_proba(batch)
    numpy.testing.assert_allclose(to_numpy(p), expected_p, rtol=1e-9)
    numpy.testing.assert_allclose(to_numpy(attention), expected_attention, rtol=1e-9)


@pytest.mark.parametrize("new_model", [fact_chain_model, fact_memory_model])
def test_a_network_on_a_knowledge_base_runs_on_a_device(device, rng, new_model):
    batch = random_fact_batch(rng)
    *arrays, index = batch
    on_gpu_batch = FactBatch(*map(device.asarray, arrays), tuple(map(device.asarray, index)))
    on_cpu, on_gpu = (new_model(name, "reference") for name in ("numpy", "cupy"))
    loss, gradients = on_gpu.loss_and_gradient(on_gpu_batch)
    expected_loss, expected = on_cpu.loss_and_gradient(batch)
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-9)
    gradients, expected = (
        dense(model.xp, found, model.params)
        for model, found in ((on_gpu, gradients), (on_cpu, expected))
    )
    for name, gradient in expected.items():
        numpy.testing.assert_allclose(to_numpy(gradients[name]), gradient, rtol=1e-7, atol=1e-9)
    assert (to_numpy(on_gpu.predict(on_gpu_batch)) == on_cpu.predict(batch)).all()


@pytest.mark.parametrize("reader", READERS)
def test_a_training_step_copies_nothing_after_the_first_epoch(device, reader):
    recipe = KeyValueRecipe(batch_size=16, embedding_size=12, feature_size=14, reader=reader)
    trainer, expected = (
        new_trainer(stories(xp, questions=100), recipe, name, "reference")
        for xp, name in ((device, "cupy"), (numpy, "numpy"))
    )
    epoch, steps = trainer.batches.steps_per_epoch, steps_for([trainer])
    steps.train(epoch)
    with counted(device) as transfers:
        steps.train(epoch - 1)
    assert transfers == []
    steps_for([expected]).train(2 * epoch - 1)
    assert_near(trainer, expected)


def test_a_file_moves_a_model_to_a_device_and_back(device, tmp_path):
    memory = ["capital france", "capital peru"], ["paris", "lima"]
    examples = [
        Example.of_memory("capital france?", *memory, "paris"),
        Example.of_memory("capital peru?", *memory, "lima"),
    ]
    recipe = KeyValueRecipe(epochs=20, learning_rate=0.01, batch_size=1, shuffle_questions=True)
    trained = QuestionAnswerer(recipe, backend="cupy", kernels="reference").fit(examples)
    first, second = tmp_path / "device.safetensors", tmp_path / "host.safetensors"
    trained.save(first)
    on_host = QuestionAnswerer.load(first)
    assert (on_host.model.theta == to_numpy(trained.model.theta)).all()
    on_host.save(second)
    assert first.read_bytes() == second.read_bytes()
    again = QuestionAnswerer.load(second, backend="cupy", kernels="reference")
    found, expected = (one.predict(examples)[0].probability for one in (again, on_host))
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_array_module_of_an_array(xp):
    assert array_module_of(xp.zeros(1)) is xp
    assert array_module_of(numpy.zeros(1)) is numpy


def test_cupy_has_what_the_strict_arrays_have():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    functions = [*SAME_AS_NUMPY, *CONSTANTS, *SYNCHRONISING, "ascontiguousarray", "asarray"]
    assert [name for name in functions if not hasattr(cupy, name)] == []
    assert [name for name in (*METHODS, "get", "fill") if not hasattr(cupy.ndarray, name)] == []
