"""Trainings on texts."""

from dataclasses import replace

import numpy
import pytest
from helpers.small_models import LANGUAGE_MODEL, language_model, random_text
from helpers.training import train

from kvnet import LanguageModelRecipe
from kvnet.data.text import Text, encode_texts
from kvnet.kernels import kernel_threads
from kvnet.models import LanguageModelConfig, MemN2NLanguageModel
from kvnet.training.fused_steps import steps_for
from kvnet.training.text_loss import text_loss
from kvnet.training.text_run import TextRun, perplexity
from kvnet.training.trainer import Trainer

M = LANGUAGE_MODEL.memory_size
SMALL = LanguageModelRecipe(embedding_size=6, linear_size=3, hops=2, memory_size=M, batch_size=4)


def test_evaluation_counts_each_word_once(rng):
    model, text = language_model(), random_text(rng, 300)
    single = [float(model.loss(text.batch(numpy.array([n])))) for n in range(M, 300)]
    assert text_loss(model, text) == pytest.approx(numpy.mean(single), rel=1e-12)


def test_the_averaged_weights_are_measured_and_kept(tmp_path):
    data = encode_texts({split: list("abcdefgh") * 60 for split in ("train", "valid", "test")}, M)
    recipe = replace(SMALL, optimizer="adagrad", learning_rate=0.1, averaging=1.0, epochs=2)
    run = TextRun(data, recipe, 0, checkpoint=tmp_path / "c")
    train(run)
    average = run.trainer.optimizer.average
    assert (run.model.theta == average).all()
    assert run.result["validation_loss"] == text_loss(run.model, data.validation)
    resumed = TextRun(data, recipe, 0, checkpoint=tmp_path / "c")
    resumed.resume()
    assert (resumed.model.theta != average).any()
    assert (resumed.trainer.optimizer.average == average).all()
    assert (MemN2NLanguageModel.load(tmp_path / "c").theta == average).all()


def test_the_number_of_threads_does_not_change_a_bit():
    text = Text(numpy.random.default_rng(0).integers(0, 2500, 3000).astype("int32"), 30, 2500)
    recipe = LanguageModelRecipe(
        embedding_size=20, linear_size=10, memory_size=30, batch_size=60, hops=3
    )
    config = recipe.config(LanguageModelConfig, vocabulary_size=2500)
    found = []
    for threads in (1, 2):
        model = MemN2NLanguageModel(config)
        with kernel_threads(threads):
            steps_for([Trainer(model, text, recipe, 0)]).train(3)
        found.append(model.theta)
    assert (found[0] == found[1]).all()


def test_it_learns_a_word_that_only_the_memory_contains():
    rng = numpy.random.default_rng(3)

    def words(lines):
        return [w for name in rng.choice(list("abcdef"), lines) for w in ("name", name, "?", name)]

    data = encode_texts({"train": words(1500), "valid": words(100), "test": words(100)}, 4)
    recipe = LanguageModelRecipe(
        embedding_size=20,
        linear_size=10,
        hops=2,
        memory_size=4,
        batch_size=32,
        epochs=3,
        init_std=0.3,
        learning_rate=0.03,
    )
    run = TextRun(data, recipe, 0)
    train(run)
    # One word of four is any of six. A model that does not look past "?" has to guess a second one.
    assert 6**0.25 < perplexity(text_loss(run.model, data.testing)) < 1.03 * 6**0.25
