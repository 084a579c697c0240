"""The Key-Value Memory Network: its nil word, mask, dropout, initial weights and options."""

import numpy
import pytest
from helpers.small_models import key_value_model, random_batch

from kvnet import InputError


@pytest.mark.parametrize("reader", ["bow", "simple_gru"])
def test_the_nil_word_has_no_gradient(rng, reader):
    model = key_value_model(reader=reader)
    _, gradients = model.loss_and_gradient(random_batch(rng))
    for name in model.nil_rows:
        assert (gradients[name][0] == 0).all()
        assert (gradients[name][1:] != 0).any()


def test_float32_gradients_agree_with_float64(rng):
    batch = random_batch(rng)
    double, single = key_value_model(), key_value_model(dtype="float32")
    double.theta[:] = single.theta
    _, expected = double.loss_and_gradient(batch)
    _, rounded = single.loss_and_gradient(batch)
    assert list(rounded) == list(expected) == list(double.params)
    for name, gradient in expected.items():
        assert rounded[name].dtype == "float32"
        error = numpy.linalg.norm(rounded[name] - gradient) / numpy.linalg.norm(gradient)
        assert error < 1e-5, name


@pytest.mark.parametrize("reader", ["bow", "simple_gru"])
def test_values_that_equal_the_keys_give_the_same_gradients(rng, reader):
    model, batch = key_value_model(reader=reader), random_batch(rng)
    apart = batch._replace(values=batch.keys.copy())
    loss, gradients = model.loss_and_gradient(batch)
    loss_apart, gradients_apart = model.loss_and_gradient(apart)
    assert loss == pytest.approx(loss_apart, rel=1e-12)
    for name, gradient in gradients.items():
        numpy.testing.assert_allclose(gradient, gradients_apart[name], rtol=1e-9, atol=1e-12)


def test_attention_sums_to_one_and_the_mask_omits_empty_slots(rng):
    batch = random_batch(rng)
    _, attention = key_value_model().predict_proba(batch)
    assert attention.shape == (3, 3, 5)
    numpy.testing.assert_allclose(attention.sum(axis=-1), 1)
    assert (attention[..., -1] > 0).all()
    p, masked = key_value_model(mask_padding=True).predict_proba(batch)
    empty = batch.keys == 0
    assert empty[:, -1].all() and empty[1:, -2].all() and not empty[0, -2]
    assert (masked[:, empty] == 0).all()
    numpy.testing.assert_allclose(masked.sum(axis=-1), 1)
    numpy.testing.assert_allclose(p.sum(axis=-1), 1)


def test_number_of_empty_slots_does_not_matter_to_a_masked_model(rng):
    model, batch = key_value_model(mask_padding=True), random_batch(rng)
    shorter = batch._replace(keys=batch.keys[:, :4], values=batch.keys[:, :4])
    numpy.testing.assert_allclose(
        model.predict_proba(batch)[0], model.predict_proba(shorter)[0], rtol=1e-12
    )


def test_dropout_depends_on_the_step_only(rng):
    model, batch = key_value_model(reader="simple_gru", keep_prob=0.5), random_batch(rng)
    losses = [float(model.loss_and_gradient(batch, step)[0]) for step in (1, 2, 1)]
    assert losses[0] == losses[2] != losses[1]


def test_initial_weights_are_glorot_uniform_with_nil_at_zero():
    model = key_value_model(
        vocabulary_size=500, memory_size=50, embedding_size=100, feature_size=80
    )
    assert (model.params["W"][0] == 0).all()
    for name in ("A", "R_2", "TK"):
        theta = model.params[name]
        limit = (6 / sum(theta.shape)) ** 0.5
        assert abs(theta).max() <= limit
        assert theta.std() == pytest.approx(limit / 3**0.5, rel=0.03)
        assert abs(theta.mean()) < 0.03 * limit
    assert not numpy.array_equal(model.params["R_1"], model.params["R_2"])


def test_hop_matrices_are_one_view_of_the_parameters():
    model = key_value_model()
    assert model.R.shape == (3, 7, 7)
    model.R[0] = 5
    assert (model.params["R_1"] == 5).all() and (model.params["R_3"] != 5).all()


def test_initial_gru_biases_are_the_published_ones():
    params = key_value_model(reader="simple_gru").params
    assert (params["memory_gate_bias"] == 1).all()
    assert (params["query_candidate_bias"] == 0).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hops", 0),
        ("reader", "lstm"),
        ("keep_prob", 0.0),
        ("embedding_size", 2.5),
        ("dtype", "float16"),
        ("random_state", -1),
    ],
)
def test_out_of_range_option_error(name, value):
    with pytest.raises(
        InputError, match=f"{name}={value!r} is (out of range|of type float); it takes"
    ):
        key_value_model(**{name: value})


def test_dropout_without_a_gru_is_refused():
    with pytest.raises(InputError, match="no effect with reader='bow'"):
        key_value_model(keep_prob=0.5)
