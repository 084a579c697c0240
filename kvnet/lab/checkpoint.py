"""The checkpoint that the laboratory was started with."""

import os
from functools import cache
from pathlib import Path

from kvnet.cli.training import checkpoint_in
from kvnet.errors import InputError
from kvnet.fact_answerer import FactAnswerer
from kvnet.files.checkpoint import read_arrays
from kvnet.models.network import kind_of
from kvnet.question_answerer import RECIPES, QuestionAnswerer
from kvnet.training.recipes.facts import FACT_RECIPES

VARIABLE = "KVNET_LAB_CHECKPOINT"
"""Environment variable with the file: marimo may be set to run chapters in other processes."""


def load(folder: str) -> None:
    """Read the checkpoint in a folder, for the chapters to use.

    Parameters
    ----------
    folder : str
        Of ``kvnet-train-babi --checkpoint`` or ``kvnet-train-kb --checkpoint``.

    Raises
    ------
    InputError
        If there is none, it cannot be read, or its model answers no questions.
    """
    path = checkpoint_in(folder, "--checkpoint").resolve()
    _read(path)
    os.environ[VARIABLE] = str(path)


@cache
def _read(path: Path) -> QuestionAnswerer | FactAnswerer:
    return _answerer_class(path).load(path, kernels="reference")


def _loaded():
    return _read(Path(os.environ[VARIABLE])) if VARIABLE in os.environ else None


def _answerer_class(path: Path):
    kind = kind_of(path, read_arrays(path)[1])
    for answerer_class, recipes in ((QuestionAnswerer, RECIPES), (FactAnswerer, FACT_RECIPES)):
        if kind in {model.__name__ for model in recipes}:
            return answerer_class
    raise InputError(
        f"{path}: is a file of {kind}, which answers no questions; give a checkpoint of "
        "kvnet-train-babi or kvnet-train-kb"
    )


def question_answerer() -> QuestionAnswerer | None:
    """Return the network for stories that was loaded; None if there is none."""
    return _loaded() if isinstance(_loaded(), QuestionAnswerer) else None


def fact_answerer() -> FactAnswerer | None:
    """Return the network for facts that was loaded; None if there is none."""
    return _loaded() if isinstance(_loaded(), FactAnswerer) else None
