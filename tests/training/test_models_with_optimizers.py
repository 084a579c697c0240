"""The contract of models and optimisers: every optimiser trains every model."""

from dataclasses import replace
from functools import partial

import numpy
import pytest

from kvnet import KeyValueRecipe, LanguageModelRecipe, MemN2NRecipe
from kvnet.data.babi import embedded_task, encode_tasks
from kvnet.data.fact_data import encode_facts
from kvnet.data.made_world import made_questions, made_world
from kvnet.data.text import encode_texts
from kvnet.training.fused_steps import steps_for
from kvnet.training.optimizers.adam import Adam
from kvnet.training.optimizers.annealed_sgd import AnnealedAdagrad, AnnealedSgd
from kvnet.training.optimizers.noisy_adam import NoisyAdam
from kvnet.training.optimizers.stepped_sgd import SteppedSgd
from kvnet.training.recipes.facts import FactChainRecipe, FactMemoryRecipe, FactRecipe
from kvnet.training.trainer import Trainer

STEPS = 30
SMALL = {"embedding_size": 8, "memory_size": 6, "batch_size": 16}
RECIPES = {
    "bow": KeyValueRecipe(**SMALL, feature_size=8),
    "simple_gru": KeyValueRecipe(**SMALL, feature_size=8, reader="simple_gru", keep_prob=0.9),
    "memn2n": MemN2NRecipe(**SMALL, linear_start=2),
    "memn2n layerwise": MemN2NRecipe(**SMALL, linear_start=0, tying="layerwise"),
    "language model": LanguageModelRecipe(
        **SMALL, linear_size=4, hops=2, init_std=0.3, dropout=0.1, word_dropout=0.05
    ),
    "fact chain": FactChainRecipe(embedding_size=8, hops=1, batch_size=16),
    "fact memory": FactMemoryRecipe(**SMALL),
}
CLIPPED = {"max_norm": 20.0, "clip": "each"}
OPTIMIZERS = {
    "noisy_adam": partial(
        NoisyAdam,
        learning_rate=0.05,
        decay_steps=20,
        l2_lambda=0.01,
        clip_norm=20.0,
        epsilon=0.1,
        random_state=0,
    ),
    "stepped_sgd": partial(
        SteppedSgd, learning_rate=0.02, max_grad_norm=20.0, constant_steps=10, halving_steps=10
    ),
    "adam": partial(Adam, learning_rate=0.02, steps=100, epsilon=1e-4, max_norm=20.0),
    "annealed_sgd": partial(AnnealedSgd, learning_rate=0.01, **CLIPPED),
    "annealed_adagrad": partial(AnnealedAdagrad, learning_rate=0.05, **CLIPPED),
}


def data_for(recipe):
    if isinstance(recipe, LanguageModelRecipe):
        return encode_texts({"text": list("abcadeaf") * 12}, recipe.memory_size)
    if isinstance(recipe, FactRecipe):
        base = made_world(200)
        return encode_facts(base, {"training": made_questions(base, 300, hops=[1])["training"]})
    return encode_tasks([embedded_task(1, 100)], recipe.memory_size, random_state=0)


def trainer_of(recipe, new_optimizer, kernels):
    """Return a trainer of a recipe in double precision, with another optimiser."""

    class OtherRecipe(type(recipe)):
        def new_optimizer(self, model, random_state, steps_per_epoch):
            return new_optimizer(model)

    data = data_for(recipe)
    model = recipe.new_model(data, 0, "numpy", kernels)
    model = type(model)(replace(model.config, dtype="float64"), kernels=kernels)
    dataset = getattr(data.training, "dataset", data.training)
    return Trainer(model, dataset, OtherRecipe(**vars(recipe)), random_state=0)


def loss_of(trainer, first):
    """Return the cross entropy, without noise, of all examples from the first on."""
    batch = trainer.dataset.batch(numpy.arange(first, len(trainer.dataset)))
    return float(trainer.model.loss_and_gradient(batch)[0])


@pytest.mark.parametrize("new_optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_both_forms_take_the_same_steps_and_lower_the_loss(recipe, new_optimizer):
    textbook, fused = (trainer_of(recipe, new_optimizer, k) for k in ("reference", "fused"))
    first = recipe.memory_size if isinstance(recipe, LanguageModelRecipe) else 0
    before = loss_of(textbook, first)
    steps_for([textbook]).train(STEPS)
    assert textbook.step == STEPS
    assert loss_of(textbook, first) < 0.9 * before

    steps_for([fused]).train(STEPS)
    for vector, expected in zip(vectors_of(fused), vectors_of(textbook), strict=True):
        assert numpy.linalg.norm(vector - expected) <= 1e-9 * numpy.linalg.norm(expected)


def vectors_of(trainer):
    return [trainer.model.theta, *trainer.optimizer.vectors.values()]
