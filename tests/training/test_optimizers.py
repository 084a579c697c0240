"""Optimisers: their steps, their learning rates and the averaged weights."""

import numpy
import pytest
from helpers.small_models import key_value_model, language_model, memn2n_model, random_batch

from kvnet import MemN2NRecipe
from kvnet.parameter_vector import by_name
from kvnet.training.optimizers.annealed_sgd import AnnealedSgd, annealed
from kvnet.training.optimizers.noisy_adam import NoisyAdam
from kvnet.updates.noisy_adam import gradient_noise


def noisy_adam(model, **changes):
    rule = {"l2_lambda": 0.0, "clip_norm": 20.0, "epsilon": 0.1, "random_state": 0}
    return NoisyAdam(model, **({"learning_rate": 0.01, "decay_steps": 2} | rule | changes))


def annealed_sgd(model, **changes):
    return AnnealedSgd(
        model, **({"learning_rate": 0.1, "max_norm": 50.0, "clip": "global"} | changes)
    )


def constant_gradients(model, value):
    return {name: numpy.full_like(theta, value) for name, theta in model.params.items()}


def test_noisy_adam_lowers_the_rate_by_4_percent_every_decay_steps():
    optimizer = noisy_adam(key_value_model(), learning_rate=0.001, decay_steps=20_000)
    rates = [optimizer.learning_rate_at(step) for step in (0, 19_999, 20_000, 40_000)]
    assert rates == pytest.approx([0.001, 0.001, 0.00096, 0.0009216])


def test_noisy_adam_steps_are_the_formula():
    model = key_value_model()
    optimizer, m, v = noisy_adam(model), 0.0, 0.0
    theta = float(model.params["A"][1, 2])
    for t in (1, 2, 3):
        noise = gradient_noise(numpy, model.theta, optimizer.rule, t - 1)
        g = 0.3 * t + float(by_name(noise, model.shapes)["A"][1, 2])
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = 0.01 * 0.96 ** ((t - 1) // 2)
        theta -= rate * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) * m / (v**0.5 + 0.1)
        optimizer.update(constant_gradients(model, 0.3 * t), t - 1)
        assert model.params["A"][1, 2] == pytest.approx(theta, rel=1e-12)


def test_noisy_adam_returns_the_penalty_of_all_parameters_before_the_step():
    model = key_value_model()
    norm = float((model.theta**2).sum())
    penalty = noisy_adam(model, l2_lambda=0.2).update(constant_gradients(model, 1.0), 0)
    assert float(penalty) == pytest.approx(0.1 * norm, rel=1e-12)
    assert float((model.theta**2).sum()) != pytest.approx(norm, rel=1e-6)


def test_noise_has_the_published_deviation_and_omits_the_nil_word():
    model = key_value_model(embedding_size=50, feature_size=60)
    optimizer = noisy_adam(model)
    noise = gradient_noise(numpy, model.theta, optimizer.rule, 7)
    assert noise.std() == pytest.approx(1e-3, rel=0.02)
    optimizer.update(constant_gradients(model, 0.0), 7)
    m = by_name(optimizer.m, model.shapes)
    for name in model.nil_rows:
        assert (model.params[name][0] == 0).all()
        assert (m[name][1:] != 0).all()


def test_the_rate_falls_when_the_validation_loss_does_not():
    assert annealed(0.3, []) == annealed(0.3, [5.0]) == annealed(0.3, [5.0, 4.0, 3.9]) == 0.3
    assert annealed(0.3, [5.0, 4.9999]) == pytest.approx(0.2)  # above 0.9999 of the one before
    assert annealed(0.3, [5.0, 5.1, 4.0, 4.0]) == pytest.approx(0.3 / 1.5**2)
    optimizer = annealed_sgd(language_model(), learning_rate=2e-5)
    optimizer.after_evaluation([{"validation_loss": 5.0}] * 2)
    assert optimizer.learning_rate_at(0) == pytest.approx(2e-5 / 1.5)
    assert not optimizer.ended
    optimizer.after_evaluation([{"validation_loss": 5.0}] * 3)
    assert optimizer.ended


def test_the_average_is_the_mean_and_then_an_exponential_one(rng, monkeypatch):
    monkeypatch.setattr("kvnet.training.optimizers.annealed_sgd.AVERAGED_EVERY", 2)
    model, seen = language_model(), []
    optimizer = annealed_sgd(model, averaged_steps=6)
    expected = model.theta.copy()
    for step in range(10):
        gradients = {name: rng.normal(size=theta.shape) for name, theta in model.params.items()}
        optimizer.update(gradients, step)
        if step % 2:
            seen.append(model.theta.copy())
            mean = numpy.mean(seen, axis=0)
            expected = mean if len(seen) <= 3 else expected + (model.theta - expected) / 3
            numpy.testing.assert_allclose(optimizer.average, expected, rtol=1e-12)


def test_stepped_sgd_lowers_the_loss_and_the_nil_word_stays_zero(rng):
    model, batch = memn2n_model(), random_batch(rng)
    optimizer = MemN2NRecipe().new_optimizer(model, random_state=0, steps_per_epoch=10)
    before = float(model.loss_and_gradient(batch)[0])
    for step in range(20):
        assert optimizer.update(model.loss_and_gradient(batch)[1], step) == 0
    assert float(model.loss_and_gradient(batch)[0]) < before
    assert all((theta[0] == 0).all() for theta in model.params.values())
