"""The bow reader's steps and answers in one compiled call, against the textbook's batches."""

from dataclasses import replace

import numpy
import pytest

from kvnet import Example, KeyValueRecipe, LanguageModelRecipe, MemN2NRecipe
from kvnet.data.babi import embedded_task, encode_tasks
from kvnet.data.task_data import encode_splits
from kvnet.data.text import encode_texts
from kvnet.kernels import kernel_threads
from kvnet.kernels.parts.stacked_memory import are_shared
from kvnet.models import KeyValueMemoryNetwork
from kvnet.training.fused_steps import FusedSteps, steps_for, why_not_fused
from kvnet.training.optimizers.annealed_sgd import AnnealedSgd
from kvnet.training.optimizers.stepped_sgd import SteppedSgd
from kvnet.training.prediction import predict_words
from kvnet.training.steps import Steps
from kvnet.training.trainer import Trainer

RECIPE = KeyValueRecipe(batch_size=30, embedding_size=12, feature_size=14, hops=2, epochs=2)


def stories():
    """Return questions about stories: those of one story share its sentences."""
    return encode_tasks([embedded_task(2, 100)], memory_size=20, random_state=0)


def facts(count=70):
    """Return questions about keys and values that differ and are rarely repeated."""
    rng = numpy.random.default_rng(1)
    examples = []
    for _ in range(count):
        keys = [f"key{rng.integers(300)} of" for _ in range(rng.integers(1, 7))]
        values = [f"value{rng.integers(300)}" for _ in keys]
        examples.append(Example.of_memory(f"what has {keys[0]}?", keys, values, values[0]))
    return encode_splits({"training": [(0, examples)]}, 50)


DATA = {"stories": stories, "facts": facts}


def trainer_of(data, recipe, kernels, dtype="float64", spare_slots=0):
    """Return a trainer of a model that may have more slots than the data."""
    config = recipe.new_model(data, 0, "numpy", kernels).config
    memory_size = config.memory_size + spare_slots
    config = replace(config, dtype=dtype, memory_size=memory_size)
    model = KeyValueMemoryNetwork(config, kernels=kernels)
    return Trainer(model, data.training.dataset, recipe, 3)


def train(trainer, steps):
    """Take steps; return all vectors and losses by name."""
    steps_for([trainer]).train(steps)
    arrays, metadata = trainer.state()
    return arrays | {name: numpy.array(metadata[name] or 0.0) for name in ("loss", "epoch_loss")}


def assert_steps_equal(data, recipe, steps=None, **options):
    trainers = [trainer_of(data, recipe, kernels, **options) for kernels in ("reference", "fused")]
    assert [type(steps_for([trainer])) for trainer in trainers] == [Steps, FusedSteps]
    steps = steps or trainers[0].batches.steps_per_epoch + 1  # past the end of an epoch
    expected, found = (train(trainer, steps) for trainer in trainers)
    for name, value in expected.items():
        error = numpy.linalg.norm(found[name] - value)
        assert error < 1e-12 * max(1e-3, numpy.linalg.norm(value)), name
    assert (found["m/W_mem"] != 0).any()


@pytest.mark.parametrize(
    ("data", "change"),
    [
        ("stories", {}),
        ("stories", {"mask_padding": True}),
        ("stories", {"clip_summed_loss": True, "max_grad_norm": 0.5}),
        ("stories", {"shuffle_questions": True, "hops": 1, "l2_lambda": 0.0}),
        ("facts", {}),
        ("facts", {"mask_padding": True, "batch_size": 69}),
    ],
)
def test_fused_steps_equal_textbook_steps(data, change):
    assert_steps_equal(DATA[data](), replace(RECIPE, **change))


@pytest.mark.parametrize("data", DATA)
def test_fused_steps_of_a_model_with_more_slots_than_the_data(data):
    assert_steps_equal(DATA[data](), RECIPE, spare_slots=3)


def test_fused_steps_of_a_batch_with_the_largest_number_of_blocks():
    assert_steps_equal(facts(470), replace(RECIPE, batch_size=460), steps=2)


def test_the_data_sets_take_both_forms_of_a_product_with_the_memory():
    shared = []
    for data in (stories(), facts()):
        keys = data.training.dataset.keys[:15]
        shared.append(are_shared((keys != 0).sum(axis=1), len(numpy.unique(keys))))
    assert shared == [True, False]


@pytest.mark.parametrize("data", DATA)
def test_steps_have_the_same_bits_for_any_threads_and_any_number_per_call(data):
    data, found = DATA[data](), []
    for threads, calls in ((1, [5]), (2, [5]), (2, [1, 3, 1]), (3, [2, 3])):
        trainer = trainer_of(data, RECIPE, "fused", "float32")
        with kernel_threads(threads):
            vectors = [train(trainer, count) for count in calls][-1]
        found.append({name: array.tobytes() for name, array in vectors.items()})
    assert found[0] == found[1] == found[2] == found[3]


@pytest.mark.parametrize("mask_padding", [False, True])
@pytest.mark.parametrize("data", DATA)
def test_fused_answers_equal_textbook_answers(data, mask_padding):
    data, recipe = DATA[data](), replace(RECIPE, mask_padding=mask_padding)
    fused, textbook = (trainer_of(data, recipe, kernels) for kernels in ("fused", "reference"))
    train(fused, 3)
    textbook.model.theta[:] = fused.model.theta
    found, expected = (predict_words(t.model, t.dataset) for t in (fused, textbook))
    assert found.dtype == expected.dtype == "int64"
    assert (found == expected).all()
    assert len(set(found.tolist())) > 1


class SteppedRecipe(KeyValueRecipe):
    def new_optimizer(self, model, random_state, steps_per_epoch):
        return SteppedSgd(
            model, learning_rate=0.01, max_grad_norm=40.0, constant_steps=2, halving_steps=1
        )


class AnnealedRecipe(KeyValueRecipe):
    def new_optimizer(self, model, random_state, steps_per_epoch):
        return AnnealedSgd(model, learning_rate=0.01, max_norm=50.0, clip="each")


@pytest.mark.parametrize("recipe", [SteppedRecipe, AnnealedRecipe])
def test_other_optimisers_train_the_same_with_every_choice_of_kernels(recipe):
    data, recipe = stories(), recipe(**vars(RECIPE))
    trainers = {k: trainer_of(data, recipe, k) for k in ("reference", "auto", "fused")}
    for trainer in trainers.values():
        train(trainer, 4)
    expected = trainers["reference"].model.theta
    assert (trainers["auto"].model.theta == trainers["fused"].model.theta).all()
    numpy.testing.assert_allclose(trainers["fused"].model.theta, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("recipe", "names"),
    [
        (SteppedRecipe(**vars(RECIPE)), "KeyValueMemoryNetwork with reader='bow' and SteppedSgd"),
        (replace(RECIPE, reader="simple_gru"), "KeyValueMemoryNetwork with reader='simple_gru'"),
        (MemN2NRecipe(), "MemN2N and SteppedSgd"),
        (LanguageModelRecipe(memory_size=9), "MemN2NLanguageModel and AnnealedSgd"),
    ],
)
def test_why_not_fused_names_model_and_optimiser_in_one_line(recipe, names):
    if isinstance(recipe, LanguageModelRecipe):
        data = encode_texts({"text": list("abcadeaf") * 12}, recipe.memory_size)
    else:
        data = stories()
    dataset = getattr(data.training, "dataset", data.training)
    trainer = Trainer(recipe.new_model(data, 0, "numpy", "fused"), dataset, recipe, 3)
    reason = why_not_fused([trainer])
    assert names in reason and "\n" not in reason
    assert why_not_fused([trainer_of(stories(), RECIPE, "fused")]) is None
