"""The language model: its formula, its dropout, its initial weights and options."""

import numpy
import pytest
from helpers.small_models import LANGUAGE_MODEL, language_model, random_text

from kvnet import InputError
from kvnet.data.batch import Context
from kvnet.operations import normal

M, E = LANGUAGE_MODEL.memory_size, LANGUAGE_MODEL.embedding_size


def test_the_model_is_the_formula(rng):
    model = language_model()
    p, context = model.params, random_text(rng).batch(numpy.array([M, 17, 30]))
    scores, attention = model.forward(context)
    words = context.words[context.slots]
    for b in range(3):
        u = numpy.full(E, 0.1)
        for hop in range(2):
            match = numpy.array([u @ (p["A"][w] + p["TA"][i]) for i, w in enumerate(words[b])])
            weights = numpy.exp(match) / numpy.exp(match).sum()
            numpy.testing.assert_allclose(attention[hop, b], weights, rtol=1e-12)
            u = u @ p["C"] + sum(
                weight * (p["B"][w] + p["TB"][i])
                for i, (w, weight) in enumerate(zip(words[b], weights, strict=True))
            )
            u[3:] = numpy.maximum(u[3:], 0)
        numpy.testing.assert_allclose(scores[b], p["W"] @ u, rtol=1e-12)


def test_word_0_is_a_word_like_any_other():
    model = language_model()
    context = Context(numpy.array([0, 1]), numpy.zeros((1, M), int), numpy.array([0]))
    p, _ = model.predict_proba(context)
    assert p[0].min() > 0
    assert p.sum() == pytest.approx(1)
    assert model.loss(context) == pytest.approx(-numpy.log(p[0, 0]), rel=1e-12)
    assert model.loss_and_gradient(context)[0] == pytest.approx(-numpy.log(p[0, 0]), rel=1e-12)


def test_word_dropout_empties_the_slots_of_dropped_words(rng):
    context = random_text(rng).batch(numpy.array([M, 17, 30]))
    model = language_model(word_dropout=0.999)  # drops every word of this context
    emptied = language_model()
    for name in "AB":
        emptied.params[name][:] = 0
    assert float(model.loss_and_gradient(context, step=5)[0]) == float(emptied.loss(context))
    without_dropout = float(language_model().loss(context))
    assert float(model.loss_and_gradient(context)[0]) == without_dropout
    assert float(model.loss(context)) == without_dropout


def test_dropout_depends_on_the_step_only(rng):
    context = random_text(rng).batch(numpy.arange(M, 50))
    model = language_model(dropout=0.5)
    losses = [float(model.loss_and_gradient(context, step)[0]) for step in (0, 1, 1)]
    assert losses[0] != losses[1] == losses[2]


def test_initial_weights_are_normal():
    model = language_model(vocabulary_size=500, embedding_size=40, linear_size=20, init_std=0.05)
    assert model.params["W"].std() == pytest.approx(0.05, rel=0.02)
    assert abs(model.params["A"].mean()) < 0.002
    z = normal(numpy, 0, "starting weights C", 0, (40, 40), "float64")
    numpy.testing.assert_allclose(model.params["C"], 0.05 * z, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("hops", 0, "hops=0 is out of range; it takes a whole number from 1"),
        ("linear_size", 7, "linear_size=7 is out of range; it takes a whole number "),
        ("dropout", 1.0, "dropout=1.0 is out of range; it takes a number from 0, below 1"),
        ("word_dropout", -0.1, "word_dropout=-0.1 is out of range; it takes"),
    ],
)
def test_out_of_range_option_error(name, value, message):
    with pytest.raises(InputError, match=message):
        language_model(**{name: value})
