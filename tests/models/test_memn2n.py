"""MemN2N on stories: its formula, its mode and its options."""

import numpy
import pytest
from helpers.small_models import MEMN2N, memn2n_model, random_batch

from kvnet import InputError
from kvnet.operations import centred_position_encoding

V, M, E = MEMN2N.vocabulary_size, MEMN2N.memory_size, MEMN2N.embedding_size


def reading(words, time, encoding, table):
    """Read a sentence word by word; its time is one more word, at the last position."""
    weights, length = centred_position_encoding(numpy, 5, E, "float64"), sum(words != 0)
    if encoding == "paper":
        weights = numpy.ones((5, E))
        for j, k in numpy.ndindex(length, E):
            weights[j, k] = 1 - (j + 1) / length - ((k + 1) / E) * (1 - 2 * (j + 1) / length)
    return sum(weights[j] * table[word] for j, word in enumerate([*words, time]) if word)


def slot(model, batch, b, i, table):
    words = batch.sentences[batch.keys[b, i]]
    time = V + i if batch.keys[b, i] else 0
    return reading(words, time, model.config.encoding, table)


@pytest.mark.parametrize("encoding", ["matlab", "paper"])
@pytest.mark.parametrize("with_softmax", [True, False])
@pytest.mark.parametrize("tying", ["adjacent", "layerwise"])
def test_the_model_is_the_formula(rng, tying, with_softmax, encoding):
    model = memn2n_model(tying=tying, encoding=encoding, init_std=0.5)
    batch, p = random_batch(rng), model.params
    model.with_softmax = with_softmax
    scores, attention = model.forward(batch)
    B, W = (p["T_1"], p["T_4"]) if tying == "adjacent" else (p["B"], p["W"])
    for b in range(len(batch.query)):
        u = reading(batch.query[b], 0, encoding, B)
        for hop in range(3):
            A = p[f"T_{hop + 1}"] if tying == "adjacent" else p["A"]
            C = p[f"T_{hop + 2}"] if tying == "adjacent" else p["C"]
            weights = numpy.array([u @ (slot(model, batch, b, i, A) + 0 * u) for i in range(M)])
            if with_softmax:
                weights = numpy.exp(weights) / numpy.exp(weights).sum()
            numpy.testing.assert_allclose(attention[hop, b], weights, rtol=1e-11, atol=1e-13)
            o = sum(weights[i] * slot(model, batch, b, i, C) for i in range(M))
            u = o + (u if tying == "adjacent" else p["H"] @ u)
        expected = W @ u
        expected[0] = 0  # nil
        numpy.testing.assert_allclose(scores[b], expected, rtol=1e-10, atol=1e-12)
    assert scores.shape[1] == V + M  # the time words are answers too


def test_loss_and_predictions_share_the_mode_and_do_not_change_it(rng):
    model, batch = memn2n_model(init_std=0.2), random_batch(rng)
    found = []
    for model.with_softmax in (True, False):
        p, attention = model.predict_proba(batch)
        loss, _ = model.loss_and_gradient(batch)
        assert loss == pytest.approx(-numpy.log(p[[0, 1, 2], batch.answer]).sum(), rel=1e-12)
        model.loss_and_gradient(batch, step=4)
        p_again, attention_again = model.predict_proba(batch)
        assert (p_again == p).all() and (attention_again == attention).all()
        found.append(p)
    assert (found[0] != found[1]).any()


@pytest.mark.parametrize(("name", "value"), [("tying", "none"), ("encoding", "x"), ("hops", 0)])
def test_out_of_range_option_error(name, value):
    with pytest.raises(InputError, match=f"{name}={value!r} is out of range; it takes"):
        memn2n_model(**{name: value})
