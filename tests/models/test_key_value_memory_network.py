"""The model: its gradients, its nil word, its mask, its files."""

import numpy
import pytest
from conftest import loss_and_grads, random_batch, small_model

from kvnet import InputError, KeyValueMemoryNetwork
from kvnet.files.checkpoint import write_arrays
from kvnet.gradcheck.checked_models import MODELS
from kvnet.gradcheck.survey import survey_random_cases

SUBJECT = MODELS["key_value_memory_network"]


@pytest.mark.parametrize("variant", SUBJECT.combinations(), ids=str)
def test_gradients_of_every_parameter(variant):
    plans = [("complex_step", "float64"), ("random_directions", "float64")]
    found = survey_random_cases(SUBJECT, variant, plans, numpy, examples=5, seed=0)
    assert found.failure is None
    expected = KeyValueMemoryNetwork(2, 1, 1, 1, 1, hops=3, reader=variant["reader"]).params
    assert set(found.rows) == {f"params[{name!r}]" for name in expected}
    for by_plan in found.rows.values():
        for row in by_plan.values():
            assert row.vacuous == 0
            assert row.error <= 1e-12


def test_central_differences_agree_too():
    variant = {"reader": "simple_gru", "values": "apart", "mask_padding": True}
    plans = [("central_differences", "float64")]
    found = survey_random_cases(SUBJECT, variant, plans, numpy, examples=2, seed=0)
    assert found.failure is None
    assert max(row.error for by_plan in found.rows.values() for row in by_plan.values()) <= 1e-8


@pytest.mark.parametrize("reader", ["bow", "simple_gru"])
def test_the_nil_word_has_no_gradient_without_the_penalty(rng, reader):
    model = small_model(reader)
    _, grads = loss_and_grads(model, random_batch(rng))
    for name in model.nil_rows:
        assert (grads[name][0] == 0).all()
        assert (grads[name][1:] != 0).any()


def test_float32_gradients_agree_with_float64(rng):
    batch = random_batch(rng)
    double, single = small_model(), small_model(dtype="float32")
    for name, theta in double.params.items():
        theta[...] = single.params[name]
    _, exact = loss_and_grads(double, batch, 0.1)
    _, rounded = loss_and_grads(single, batch, 0.1)
    for name in exact:
        assert rounded[name].dtype == "float32"
        error = numpy.linalg.norm(rounded[name] - exact[name]) / numpy.linalg.norm(exact[name])
        assert error < 1e-5, name


@pytest.mark.parametrize("reader", ["bow", "simple_gru"])
def test_keys_given_twice_equal_keys_given_apart(rng, reader):
    model, batch = small_model(reader), random_batch(rng)
    apart = batch._replace(values=batch.keys.copy())
    loss, grads = loss_and_grads(model, batch)
    loss_apart, grads_apart = loss_and_grads(model, apart)
    assert loss == pytest.approx(loss_apart, rel=1e-12)
    for name in grads:
        numpy.testing.assert_allclose(grads[name], grads_apart[name], rtol=1e-9, atol=1e-12)


def test_attention_adds_up_and_the_mask_empties_padding(rng):
    batch = random_batch(rng)
    _, attention = small_model().predict_proba(batch)
    assert attention.shape == (3, 3, 5)
    numpy.testing.assert_allclose(attention.sum(axis=-1), 1)
    assert (attention[..., -1] > 0).all()
    p, masked = small_model(mask_padding=True).predict_proba(batch)
    empty = batch.keys == 0
    assert (masked[:, empty] == 0).all()
    numpy.testing.assert_allclose(masked.sum(axis=-1), 1)
    numpy.testing.assert_allclose(p.sum(axis=-1), 1)


def test_a_masked_model_ignores_how_much_padding_there_is(rng):
    model, batch = small_model(mask_padding=True), random_batch(rng)
    shorter = batch._replace(keys=batch.keys[:, :4], values=batch.keys[:, :4])
    numpy.testing.assert_allclose(
        model.predict_proba(batch)[0], model.predict_proba(shorter)[0], rtol=1e-12
    )


def test_dropout_hangs_on_the_step_alone(rng):
    model, batch = small_model("simple_gru", keep_prob=0.5), random_batch(rng)
    loss = [float(loss_and_grads(model, batch, step=step)[0]) for step in (1, 2, 1)]
    assert loss[0] == loss[2] != loss[1]


def test_start_is_glorot_uniform_with_nil_at_zero():
    model = KeyValueMemoryNetwork(500, 6, 50, embedding_size=100, feature_size=80)
    assert (model.params["W"][0] == 0).all()
    for name in ("A", "R_2", "TK"):
        theta = model.params[name]
        limit = (6 / sum(theta.shape)) ** 0.5
        assert abs(theta).max() <= limit
        assert theta.std() == pytest.approx(limit / 3**0.5, rel=0.03)
        assert abs(theta.mean()) < 0.03 * limit
    assert not numpy.array_equal(model.params["R_1"], model.params["R_2"])


def test_gru_biases_start_as_published():
    params = small_model("simple_gru").params
    assert (params["memory_gate_bias"] == 1).all()
    assert (params["query_candidate_bias"] == 0).all()


def test_save_and_load(tmp_path, rng):
    model, batch = small_model("simple_gru", random_state=4), random_batch(rng)
    model.save(tmp_path / "model.safetensors")
    loaded = KeyValueMemoryNetwork.load(tmp_path / "model.safetensors")
    assert loaded.config == model.config
    assert (loaded.predict_proba(batch)[0] == model.predict_proba(batch)[0]).all()


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("hops", 0),
        ("reader", "lstm"),
        ("keep_prob", 0.0),
        ("embedding_size", 2.5),
        ("dtype", "float16"),
        ("random_state", -1),
    ],
)
def test_arguments_out_of_range(argument, value):
    with pytest.raises(InputError, match=f"{argument}={value!r} is out of range; it takes"):
        small_model(**{argument: value})


def test_dropout_without_a_gru_is_refused():
    with pytest.raises(InputError, match="no effect with reader='bow'"):
        small_model(keep_prob=0.5)


def damaged(tmp_path, kind):
    path = tmp_path / "model.safetensors"
    model = small_model()
    model.save(path)
    if kind == "cut short":
        path.write_bytes(path.read_bytes()[:-100])
    elif kind == "a pickle":
        path.write_bytes(b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "another shape":
        arrays, metadata = model.state()
        write_arrays(path, arrays | {"params/A": numpy.zeros((2, 2))}, metadata)
    elif kind == "a parameter missing":
        arrays, metadata = model.state()
        del arrays["params/A"]
        write_arrays(path, arrays, metadata)
    elif kind == "no model":
        write_arrays(path, {"x": numpy.zeros(2)}, {})
    elif kind == "not there":
        path.unlink()
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cut short", "is cut short or no safetensors file"),
        ("a pickle", "is cut short or no safetensors file"),
        ("empty", "is cut short or no safetensors file"),
        ("another shape", r"params/A should be float64\[7, 6\], found float64\[2, 2\]"),
        ("a parameter missing", "params/A should be .* found nothing"),
        ("no model", "holds no KeyValueMemoryNetwork"),
        ("not there", "there is no such file"),
    ],
)
def test_damaged_files_are_named(tmp_path, kind, message):
    path = damaged(tmp_path, kind)
    with pytest.raises(InputError, match=message) as caught:
        KeyValueMemoryNetwork.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
