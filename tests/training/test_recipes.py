"""Recipes: the published presets, the ranges, and what a recipe makes."""

from dataclasses import replace

import pytest
from helpers.small_models import memn2n_model

from kvnet import (
    KEY_VALUE_PRESETS,
    MEMN2N_PRESETS,
    InputError,
    KeyValueRecipe,
    LanguageModelRecipe,
    MemN2NRecipe,
)
from kvnet.data.babi import embedded_task, encode_tasks


def test_key_value_presets_are_the_published_flags():
    joint, single = KEY_VALUE_PRESETS["kv-joint"], KEY_VALUE_PRESETS["kv-single"]
    assert (joint.l2_lambda, joint.batch_size, joint.epochs, joint.memory_size) == (
        0.1,
        50,
        200,
        50,
    )
    assert (single.l2_lambda, single.batch_size, single.epochs) == (0.2, 32, 100)
    assert (single.embedding_size, single.feature_size, single.memory_size) == (30, 40, 20)
    for preset in (joint, single):
        assert (preset.learning_rate, preset.epsilon, preset.max_grad_norm) == (0.001, 0.1, 20)
        assert (preset.hops, preset.keep_prob, preset.reader) == (3, 1, "bow")


def test_memn2n_presets_are_the_published_schedules():
    joint, single = MEMN2N_PRESETS["memn2n-joint"], MEMN2N_PRESETS["memn2n-single"]
    assert (joint.embedding_size, single.embedding_size) == (50, 20)
    model = memn2n_model(kernels="reference")
    for recipe, start, halving in ((joint, 30, 15), (single, 20, 25)):
        optimizer = recipe.new_optimizer(model, random_state=0, steps_per_epoch=10)
        rates = [optimizer.learning_rate_at(10 * epoch) for epoch in range(recipe.epochs)]
        assert set(rates[: start + halving]) == {0.005}
        assert rates[start + halving] == 0.0025 and rates[-1] == 0.005 / 2**3
        for epoch, with_softmax in ((start - 1, False), (start, True), (0, False)):
            recipe.set_mode(model, epoch)
            assert model.with_softmax is with_softmax


@pytest.mark.parametrize(
    ("changes", "clip_norm"),
    [
        ({}, 20 * 50),
        ({"clip_summed_loss": True}, 20),
        ({"max_grad_norm": 3.0, "batch_size": 7}, 21),
    ],
    ids=str,
)
def test_the_clip_is_per_question_or_of_the_summed_loss(changes, clip_norm):
    recipe = replace(KEY_VALUE_PRESETS["kv-joint"], **changes)
    data = encode_tasks([embedded_task(1, 20)], 5, random_state=0)
    model = recipe.new_model(data, 0, "numpy", "reference")
    assert recipe.new_optimizer(model, 0, steps_per_epoch=1).rule.clip_norm == clip_norm


@pytest.mark.parametrize(
    ("recipe", "name", "value"),
    [
        (KeyValueRecipe, "learning_rate", -1.0),
        (KeyValueRecipe, "learning_rate", float("nan")),
        (KeyValueRecipe, "hops", 0),
        (KeyValueRecipe, "epochs", 2.5),
        (KeyValueRecipe, "keep_prob", 1.5),
        (KeyValueRecipe, "reader", "lstm"),
        (KeyValueRecipe, "mask_padding", 1),
        (MemN2NRecipe, "linear_start", -1),
        (MemN2NRecipe, "tying", "all"),
        (LanguageModelRecipe, "hops", 0),
        (LanguageModelRecipe, "learning_rate", -1.0),
        (LanguageModelRecipe, "clip", "some"),
        (LanguageModelRecipe, "linear_size", 200),
        (LanguageModelRecipe, "dropout", 1.0),
        (LanguageModelRecipe, "word_dropout", -0.1),
        (LanguageModelRecipe, "averaging", -1.0),
    ],
)
def test_out_of_range_hyper_parameter_error(recipe, name, value):
    with pytest.raises(
        InputError, match=f"^{name}={value!r} is (out of range|of type (float|int)); it takes"
    ) as caught:
        recipe(**{name: value})
    assert "\n" not in str(caught.value)
