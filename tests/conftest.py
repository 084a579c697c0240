"""Fixtures: random numbers, array modules with and without a GPU, the released data."""

import os
from pathlib import Path

import numpy
import pytest
from helpers import ROOT
from helpers.cuda_on_the_host import COMPILER, WHY_NOT
from helpers.strict_arrays import strict

from kvnet import InputError, backend
from kvnet.backend import array_module
from kvnet.data.knowledge_base import KnowledgeBase


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
    """The same, if it can compile CUDA C."""
    if xp is strict and COMPILER is None:
        pytest.skip(WHY_NOT)
    return xp


@pytest.fixture
def device(xp, monkeypatch):
    """The same, as what backend="cupy" selects."""
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


@pytest.fixture(scope="session")
def metaqa():
    """The folder of MetaQA's knowledge base and questions."""
    places = [Path(os.environ["KVNET_METAQA"])] if "KVNET_METAQA" in os.environ else []
    places.append(ROOT.parent / "shared/data/metaqa")
    for place in places:
        if (place / "kb.txt").is_file():
            return place
    pytest.skip("MetaQA's files are not here; set KVNET_METAQA to their folder")


@pytest.fixture(scope="session")
def film_base(metaqa):
    """MetaQA's knowledge base."""
    return KnowledgeBase.read(metaqa / "kb.txt")
