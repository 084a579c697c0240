"""Model files: every model's round trip, files of other models, and damaged files."""

from itertools import permutations

import numpy
import pytest
from helpers.small_models import (
    MODELS,
    key_value_model,
    memn2n_model,
    random_batch,
    random_fact_batch,
    random_text,
)

from kvnet import InputError, QuestionAnswerer, TextContinuer
from kvnet.files.checkpoint import read_arrays, write_arrays
from kvnet.models import (
    KINDS,
    KeyValueMemoryNetwork,
    MemN2N,
    MemN2NLanguageModel,
    load_model,
)
from kvnet.models.fact_network import FactNetwork


def one_line_error(load, path):
    """Return the message of the error of a load; it is one line that names the file."""
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def test_load_model_knows_every_model():
    assert set(KINDS.values()) == set(MODELS)


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_is_loaded_as_it_was_saved(kind, tmp_path, rng):
    path = tmp_path / "model.safetensors"
    model = kind(MODELS[kind])
    model.theta[:] = rng.normal(size=model.theta.shape)
    model.save(path)
    if kind is MemN2NLanguageModel:
        batch = random_text(rng).batch(numpy.array([9, 20]))
    elif issubclass(kind, FactNetwork):
        batch = random_fact_batch(rng)
    else:
        batch = random_batch(rng)
    for loaded in (load_model(path), kind.load(path)):
        assert type(loaded) is kind
        assert loaded.config == model.config
        assert (loaded.theta == model.theta).all()
        assert (loaded.predict_proba(batch)[0] == model.predict_proba(batch)[0]).all()


def test_options_of_a_model_are_loaded(tmp_path, rng):
    model = key_value_model(reader="simple_gru", random_state=4, mask_padding=True, hops=2)
    model.save(tmp_path / "model.safetensors")
    loaded, batch = load_model(tmp_path / "model.safetensors"), random_batch(rng)
    assert loaded.config == model.config
    assert (loaded.predict_proba(batch)[0] == model.predict_proba(batch)[0]).all()


@pytest.mark.parametrize("with_softmax", [True, False])
def test_the_mode_of_memn2n_is_saved(with_softmax, tmp_path, rng):
    model, batch = memn2n_model(), random_batch(rng)
    model.with_softmax = with_softmax
    model.save(tmp_path / "model.safetensors")
    for load in (load_model, MemN2N.load):
        loaded = load(tmp_path / "model.safetensors")
        assert loaded.with_softmax is with_softmax
        assert (loaded.predict_proba(batch)[0] == model.predict_proba(batch)[0]).all()


@pytest.mark.parametrize(("kind", "other"), [*permutations(MODELS, 2)])
def test_the_file_of_another_model_is_refused(kind, other, tmp_path):
    path = tmp_path / "model.safetensors"
    kind(MODELS[kind]).save(path)
    message = one_line_error(other.load, path)
    assert message.endswith(f"is a file of {kind.__name__}, not of {other.__name__}; give another")


def test_answerers_refuse_language_models_and_continuers_refuse_answering_models(tmp_path):
    path = tmp_path / "model.safetensors"
    MemN2NLanguageModel(MODELS[MemN2NLanguageModel]).save(path)
    assert "of MemN2NLanguageModel, not of KeyValueMemoryNetwork or MemN2N;" in one_line_error(
        QuestionAnswerer.load, path
    )
    for kind in (KeyValueMemoryNetwork, MemN2N):
        kind(MODELS[kind]).save(path)
        message = one_line_error(TextContinuer.load, path)
        assert f"is a file of {kind.__name__}, not of MemN2NLanguageModel" in message


LOADS = {
    "load_model": load_model,
    "KeyValueMemoryNetwork": KeyValueMemoryNetwork.load,
    "QuestionAnswerer": QuestionAnswerer.load,
    "TextContinuer": TextContinuer.load,
}


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("metadata", [{}, {"config": {"hops": 3}}, {"kind": ["MemN2N"]}], ids=str)
def test_a_file_that_does_not_name_its_model_is_refused(load, metadata, tmp_path):
    path = tmp_path / "model.safetensors"
    write_arrays(path, {"params/A": numpy.zeros(2)}, metadata)
    assert "does not name its model; give a file that" in one_line_error(LOADS[load], path)


@pytest.mark.parametrize("load", LOADS)
def test_a_file_of_an_unknown_model_is_refused(load, tmp_path):
    path = tmp_path / "model.safetensors"
    write_arrays(path, {"params/A": numpy.zeros(2)}, {"kind": "Lstm", "config": {}})
    assert "is a file of Lstm, not of " in one_line_error(LOADS[load], path)


@pytest.mark.parametrize("load", ["QuestionAnswerer", "TextContinuer"])
def test_a_model_without_a_usable_vocabulary_and_recipe_is_refused(load, tmp_path):
    path = tmp_path / "model.safetensors"
    kind = MemN2NLanguageModel if load == "TextContinuer" else MemN2N
    kind(MODELS[kind]).save(path)
    assert "has no vocabulary; " in one_line_error(LOADS[load], path)
    arrays, metadata = read_arrays(path)
    for recipe, message in (({"hops": 0}, "=0 is out of range"), ({"x": 1}, "argument 'x'")):
        write_arrays(path, arrays, metadata | {"vocabulary": ["a"], "recipe": recipe})
        error = one_line_error(LOADS[load], path)
        assert "its recipe is damaged (" in error and message in error
    write_arrays(path, arrays, metadata | {"vocabulary": ["a"], "recipe": {}})
    assert "word ids for a vocabulary_size of 1" in one_line_error(LOADS[load], path)


DAMAGED = {
    "cut short": "is truncated or not a safetensors file",
    "a pickle": "is truncated or not a safetensors file",
    "empty": "is truncated or not a safetensors file",
    "another shape": "params/A should be float64[7, 6], found float64[2, 2]",
    "a parameter missing": "params/A should be float64[7, 6], found nothing",
    "an unknown option": "the description of its KeyValueMemoryNetwork is damaged",
    "no model": "does not name its model",
    "not there": "there is no such file",
}


def damaged(path, damage):
    """Write a model's file with some damage."""
    key_value_model().save(path)
    arrays, metadata = read_arrays(path)
    match damage:
        case "cut short":
            path.write_bytes(path.read_bytes()[:-100])
        case "a pickle":
            path.write_bytes(b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.")
        case "empty":
            path.write_bytes(b"")
        case "another shape":
            write_arrays(path, arrays | {"params/A": numpy.zeros((2, 2))}, metadata)
        case "a parameter missing":
            del arrays["params/A"]
            write_arrays(path, arrays, metadata)
        case "an unknown option":
            write_arrays(path, arrays, metadata | {"config": metadata["config"] | {"x": 1}})
        case "no model":
            write_arrays(path, {"x": numpy.zeros(2)}, {})
        case "not there":
            path.unlink()


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_file_error(damage, tmp_path):
    path = tmp_path / "model.safetensors"
    damaged(path, damage)
    for load in (KeyValueMemoryNetwork.load, load_model, QuestionAnswerer.load):
        assert DAMAGED[damage] in one_line_error(load, path)
