"""Models compute and train alike with CUDA kernels and with the textbook on NumPy."""

import numpy
import pytest
from helpers.device_data import assert_near, key_values, new_trainer, on_device, stories, train
from helpers.small_models import key_value_model, random_batch
from helpers.strict_arrays import counted

from kvnet import KeyValueRecipe, LanguageModelRecipe, MemN2NRecipe
from kvnet.backend import array_module, to_numpy
from kvnet.data.text import encode_texts
from kvnet.kernels.cuda.parts import key_value_hops
from kvnet.training import prediction
from kvnet.training.text_loss import text_loss

pytestmark = pytest.mark.usefixtures("kernels", "device")
FORMS = {"numpy": "reference", "cupy": "fused"}


def texts(xp):
    words = numpy.random.default_rng(0).integers(0, 30, 90).astype(str)
    return encode_texts({"text": list(words)}, 5, xp)


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_the_language_model_trains_the_same_on_both_array_modules(optimizer):
    recipe = LanguageModelRecipe(
        embedding_size=6,
        linear_size=3,
        hops=2,
        memory_size=5,
        batch_size=8,
        optimizer=optimizer,
        dropout=0.2,
        init_std=0.3,
    )
    losses, trainers = [], []
    for name, kernels in FORMS.items():
        trainer = new_trainer(texts(array_module(name)), recipe, name, kernels)
        train(trainer, 4)
        losses.append(text_loss(trainer.model, trainer.dataset))
        trainers.append(trainer)
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert_near(trainers[1], trainers[0])


@pytest.mark.parametrize("tying", ["adjacent", "layerwise"])
@pytest.mark.parametrize("encoding", ["matlab", "paper"])
def test_memn2n_trains_the_same_on_both_array_modules(tying, encoding):
    recipe = MemN2NRecipe(
        embedding_size=6, tying=tying, encoding=encoding, batch_size=8, linear_start=0
    )
    words, trainers = [], []
    for name, kernels in FORMS.items():
        trainer = new_trainer(stories(array_module(name)), recipe, name, kernels)
        train(trainer, 3)
        words.append(to_numpy(prediction.predict_words(trainer.model, trainer.dataset)))
        trainers.append(trainer)
    assert_near(trainers[1], trainers[0])
    assert (words[0] == words[1]).all()


@pytest.mark.parametrize("reader", ["bow", "simple_gru"])
def test_the_key_value_memory_network_trains_the_same_on_both_array_modules(reader):
    recipe = KeyValueRecipe(batch_size=6, embedding_size=12, feature_size=14, reader=reader)
    expected, trainer = (
        new_trainer(stories(array_module(name)), recipe, name, kernels)
        for name, kernels in FORMS.items()
    )
    for one in (expected, trainer):
        train(one, 3)
    assert_near(trainer, expected)


@pytest.mark.parametrize("reader", ["bow", "simple_gru"])
@pytest.mark.parametrize("same", [True, False], ids=["keys are values", "keys and values"])
@pytest.mark.parametrize("mask_padding", [False, True])
def test_loss_gradients_and_answers(device, rng, reader, same, mask_padding):
    options = {"reader": reader, "mask_padding": mask_padding}
    options["keep_prob"] = 1.0 if reader == "bow" else 0.7
    batch = random_batch(rng, same)
    textbook = key_value_model(kernels="reference", **options)
    expected_loss, expected = textbook.loss_and_gradient(batch, step=2)
    model = key_value_model("cupy", "fused", **options)
    batch_on_device = on_device(device, batch)
    with counted(device) as transfers:
        loss, gradients = model.loss_and_gradient(batch_on_device, step=2)
        answers = model.predict(batch_on_device)
    assert transfers == []
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-12)
    for name, gradient in expected.items():
        numpy.testing.assert_allclose(to_numpy(gradients[name]), gradient, rtol=1e-9, atol=1e-12)
    assert (to_numpy(answers) == textbook.predict(batch)).all()


@pytest.mark.parametrize("in_one_launch", [True, False])
@pytest.mark.parametrize("variant", ["keys are values", "keys and values", "masked", "gru"])
def test_predict_words(device, monkeypatch, variant, in_one_launch):
    monkeypatch.setattr(key_value_hops, "SMALL_VOCABULARY", 2048 if in_one_launch else 0)
    monkeypatch.setattr(prediction, "QUESTIONS_AT_A_TIME", 30)
    recipe = KeyValueRecipe(
        embedding_size=6,
        feature_size=7,
        memory_size=8,
        mask_padding=variant == "masked",
        reader="simple_gru" if variant == "gru" else "bow",
    )
    load = key_values if variant == "keys and values" else stories
    data, on_host = load(device), load(numpy)
    textbook = recipe.new_model(on_host, 1, "numpy", "reference")
    textbook.theta *= 20  # answers that depend on the question
    model = recipe.new_model(data, 1, "cupy", "fused")
    model.theta[:] = device.asarray(textbook.theta)
    expected = prediction.predict_words(textbook, on_host.training.dataset)
    assert len(numpy.unique(expected)) > 2
    with counted(device) as transfers:
        words = prediction.predict_words(model, data.training.dataset)
    assert transfers == []
    assert words.dtype == expected.dtype and (to_numpy(words) == expected).all()
    model.params["W_mem"][1:] *= 0  # all scores are zero: the answer is the lowest word, nil
    assert (to_numpy(prediction.predict_words(model, data.training.dataset)) == 0).all()
