"""What several tests need: a random model with its batch, and the released data where it is."""

import os
from pathlib import Path

import numpy
import pytest
from cuda_on_the_host import COMPILER, WHY_NOT
from strict_arrays import strict

from kvnet import Batch, InputError, KeyValueMemoryNetwork, backend
from kvnet.backend import array_module
from kvnet.parameter_vector import by_name

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session", params=["strict", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request):
    """A device's array module: the strict arrays, and CuPy where there is a GPU."""
    if request.param == "strict":
        return strict
    try:
        return array_module("cupy")
    except InputError as error:
        pytest.skip("no GPU to run on: " + str(error).partition(" (")[0])


@pytest.fixture(scope="session")
def kernels(xp):
    """The same, which can compile CUDA C."""
    if xp is strict and COMPILER is None:
        pytest.skip(WHY_NOT)
    return xp


@pytest.fixture
def device(xp, monkeypatch):
    """The same, which backend="cupy" stands for."""
    if xp is strict:
        monkeypatch.setattr(backend, "_cupy", lambda: strict)
    return xp


@pytest.fixture
def rng():
    return numpy.random.default_rng(0)


@pytest.fixture(scope="session")
def released():
    """The folder of the released bAbI 1k files."""
    places = [Path(os.environ["KVNET_DATA"])] if "KVNET_DATA" in os.environ else []
    places.append(ROOT.parent / "shared/data/babi")
    for place in places:
        folder = place / "tasks_1-20_v1-2/en"
        if folder.is_dir():
            return folder
    pytest.skip("the released bAbI files are not here; set KVNET_DATA to their folder")


def random_batch(rng, same=True, B=3, M=5, S=4, V=13):
    """Questions about memories with padded words and, in the last two slots, padded sentences."""

    def sentences(*shape):
        words = rng.integers(1, V, (*shape, S))
        words[..., S - 1] *= rng.integers(0, 2, shape)
        return words

    keys = sentences(B, M)
    keys[:, M - 2 :] = 0
    keys[0, M - 2, 0] = 1  # one story is longer than the others
    values = keys if same else sentences(B, M) * (keys.any(axis=-1, keepdims=True))
    return Batch.of_words(sentences(B), keys, values, rng.integers(1, V, B))


def small_model(reader="bow", **options):
    sizes = {"embedding_size": 6, "feature_size": 7, "hops": 3, "dtype": "float64"}
    return KeyValueMemoryNetwork(13, 4, 5, reader=reader, **(sizes | options))


def loss_and_grads(model, batch, l2_lambda=0.0, step=None):
    """Return the loss and each parameter's gradient by its name."""
    loss, gradient = model.loss_and_gradient(batch, l2_lambda, step)
    return loss, by_name(gradient, model.shapes)
