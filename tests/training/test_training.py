"""The published recipe, piece by piece, and the whole of it on a small story."""

import itertools

import numpy
import pytest
from conftest import random_batch, small_model

from kvnet import PRESETS, InputError, QuestionAnswerer, Settings, example
from kvnet.parameter_vector import by_name
from kvnet.training.batches import Batches
from kvnet.training.optimizers.noisy_adam import NoisyAdam, staircase
from kvnet.updates.noisy_adam import clip_by_norm, gradient_noise


def test_clip_shortens_long_gradients_only():
    g = numpy.array([[3.0, 4.0]])
    numpy.testing.assert_allclose(clip_by_norm(numpy, g, 2.5), [[1.5, 2.0]])
    numpy.testing.assert_array_equal(clip_by_norm(numpy, g, 20.0), g)
    assert (clip_by_norm(numpy, 0 * g, 20.0) == 0).all()


def test_learning_rate_is_a_staircase():
    rates = [staircase(0.001, step, 20_000) for step in (0, 19_999, 20_000, 40_000)]
    assert rates == pytest.approx([0.001, 0.001, 0.00096, 0.0009216])


def test_adam_is_the_formula():
    model = small_model(kernels="reference")
    options = {"learning_rate": 0.01, "epsilon": 0.1, "clip_norm": 20.0, "decay_steps": 2}
    optimizer = NoisyAdam(model, random_state=0, **options)
    m = v = 0.0
    theta = float(model.params["A"][1, 2])
    for t in (1, 2, 3):
        noise = gradient_noise(numpy, model.theta, optimizer.rule, t - 1)
        g = 0.3 * t + float(by_name(noise, model.shapes)["A"][1, 2])
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = 0.01 * 0.96 ** ((t - 1) // 2)
        theta -= rate * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) * m / (v**0.5 + 0.1)
        optimizer.update(numpy.full_like(model.theta, 0.3 * t), t - 1)
        assert model.params["A"][1, 2] == pytest.approx(theta, rel=1e-12)


def test_noise_has_the_published_deviation_and_spares_nil():
    model = small_model(embedding_size=50, feature_size=60)
    options = {"learning_rate": 0.1, "epsilon": 0.1, "clip_norm": 20.0, "decay_steps": 100}
    optimizer = NoisyAdam(model, random_state=0, **options)
    noise = gradient_noise(numpy, model.theta, optimizer.rule, 7)
    assert noise.std() == pytest.approx(1e-3, rel=0.02)
    optimizer.update(numpy.zeros_like(model.theta), 7)
    m = by_name(optimizer.m, model.shapes)
    for name in model.nil_rows:
        assert (model.params[name][0] == 0).all()
        assert (m[name][1:] != 0).all()


@pytest.mark.parametrize(("questions", "batch", "steps"), [(18_000, 50, 359), (900, 32, 28)])
def test_batches_are_cut_once_and_the_last_is_dropped(questions, batch, steps):
    batches = Batches(questions, batch, shuffle_questions=False, random_state=0)
    assert batches.steps_per_epoch == steps
    epochs = [[batches.rows(epoch * steps + s)[0] for s in range(steps)] for epoch in (0, 1)]
    for firsts in epochs:
        assert sorted(firsts) == [batch * s for s in range(steps)]
    assert epochs[0] != epochs[1]
    assert (batches.rows(3) == numpy.arange(batches.rows(3)[0], batches.rows(3)[0] + batch)).all()


def test_shuffled_questions_are_drawn_anew_every_epoch():
    batches = Batches(100, 10, shuffle_questions=True, random_state=0)
    epochs = [numpy.concatenate([batches.rows(10 * e + s) for s in range(10)]) for e in (0, 1)]
    assert all(sorted(rows) == list(range(100)) for rows in epochs)
    assert (epochs[0] != epochs[1]).any()


def test_too_few_questions_for_a_batch():
    with pytest.raises(InputError, match="batch_size=50 cannot be filled from 50 training"):
        Batches(50, 50, shuffle_questions=False, random_state=0)


def test_presets_are_the_published_flags():
    joint, single = PRESETS["kv-joint"], PRESETS["kv-single"]
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


def test_the_two_readings_of_the_clip():
    assert PRESETS["kv-joint"].clip_norm == 20 * 50
    assert Settings(clip_summed_loss=True).clip_norm == 20
    assert Settings(max_grad_norm=3.0, batch_size=7).clip_norm == 21


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("learning_rate", -1.0),
        ("learning_rate", float("nan")),
        ("hops", 0),
        ("epochs", 2.5),
        ("keep_prob", 1.5),
        ("reader", "lstm"),
        ("mask_padding", 1),
    ],
)
def test_settings_out_of_range(setting, value):
    with pytest.raises(InputError, match=f"{setting}=.* is out of range; it takes"):
        Settings(**{setting: value})


COUNTRIES, CAPITALS = ("france", "peru", "japan", "kenya"), ("paris", "lima", "tokyo", "nairobi")
QUICK = Settings(epochs=60, batch_size=8, learning_rate=0.01, embedding_size=16, feature_size=16)


def capitals():
    """Questions about every way to deal four capitals to four countries."""
    for dealt in itertools.permutations(CAPITALS):
        memory = {"keys": [f"capital {country}" for country in COUNTRIES], "values": dealt}
        for country, capital in zip(COUNTRIES, dealt, strict=True):
            yield example(f"what is capital {country}?", answer=capital, **memory)


def test_values_are_read_where_keys_match():
    examples = list(capitals())
    unseen = examples[:16]  # four deals: to answer, the model must read the memory
    answerer = QuestionAnswerer(QUICK, random_state=1).fit(examples[16:])
    answers = answerer.predict(unseen)
    assert [a.word for a in answers] == [e.answer for e in unseen]
    assert min(a.probability for a in answers) > 0.5


def test_an_answerer_survives_its_file(tmp_path):
    examples = list(capitals()) * 3
    answerer = QuestionAnswerer(QUICK, random_state=2)
    answerer.settings = Settings(epochs=2, batch_size=8)
    answerer.fit(examples).save(tmp_path / "capitals.safetensors")
    loaded = QuestionAnswerer.load(tmp_path / "capitals.safetensors")
    one, two = loaded.predict(examples), answerer.predict(examples)
    assert [a.probability for a in one] == [a.probability for a in two]
    assert one[0].attention.shape == (3, 4)


def test_unknown_words_are_named():
    answerer = QuestionAnswerer(Settings(epochs=1, batch_size=4)).fit(list(capitals()))
    with pytest.raises(InputError, match="'germany', 'big' not among the"):
        answerer.predict([example("germany big?", ["paris"])])
    with pytest.raises(InputError, match="asked of an empty memory"):
        answerer.predict([example("paris?", [])])
    for useless, message in [
        (example("paris?", [], "lima"), "asked of an empty memory"),
        (example("paris?", ["lima"]), "has no answer"),
        (example("?", ["lima"], "lima"), "has no question"),
    ]:
        with pytest.raises(InputError, match=message):
            QuestionAnswerer().fit([useless])
    with pytest.raises(InputError, match="call fit"):
        QuestionAnswerer().predict([])


def test_random_batch_has_what_the_model_tests_rely_on(rng):
    batch = random_batch(rng)
    assert batch.keys is batch.values
    assert (batch.keys[:, -1] == 0).all()
    assert batch.keys[0, -2].any()
    assert not batch.keys[1, -2].any()
