"""Files of trained models: parameters, vocabulary and recipe."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kvnet.data.vocabulary import Vocabulary
from kvnet.errors import InputError
from kvnet.files.checkpoint import read_arrays, read_metadata, write_arrays
from kvnet.models.network import Network, kind_of
from kvnet.training.recipes.recipe import Recipe


class Trained(NamedTuple):
    """A trained model with its words, and how it was trained."""

    model: Network
    vocabulary: Vocabulary
    recipe: Recipe


class TrainedMetadata(msgspec.Struct):
    """The metadata of a trained model's file, besides the model's own; see `Trained`."""

    vocabulary: list[str]
    recipe: dict[str, Any]
    spelling: dict[str, str] = {}  # msgspec copies a mutable default


def write_trained(path: str | Path, trained: Trained) -> None:
    """Write a trained model to a safetensors file, atomically.

    Parameters
    ----------
    path : str or Path
    trained : Trained

    Raises
    ------
    InputError
        If it cannot be written.
    """
    write_arrays(path, *trained_state(trained))


def trained_state(trained: Trained) -> tuple[dict, dict]:
    """Return the content of a trained model's file: arrays, and metadata for JSON."""
    arrays, metadata = trained.model.state()
    metadata |= {"vocabulary": trained.vocabulary.words, "recipe": asdict(trained.recipe)}
    metadata["spelling"] = trained.vocabulary.spelling
    return arrays, metadata


def read_trained(
    path: str | Path, recipes: Mapping[type[Network], type[Recipe]], backend: str, kernels: str
) -> Trained:
    """Read a file that `write_trained` or a training wrote.

    Parameters
    ----------
    path : str or Path
    recipes : mapping of type to type
        The models that are accepted, each with its recipe.
    backend : {"numpy", "cupy", "auto"}
    kernels : {"reference", "fused", "auto"}

    Returns
    -------
    trained : Trained

    Raises
    ------
    InputError
        If the file cannot be read, is of another model, or has no vocabulary or recipe.
    """
    return trained_from_state(path, *read_arrays(path), recipes, backend, kernels)


def trained_from_state(
    path: str | Path,
    arrays: dict,
    metadata: dict,
    recipes: Mapping[type[Network], type[Recipe]],
    backend: str,
    kernels: str,
) -> Trained:
    """Build a trained model from the content of a file; see `read_trained`."""
    accepted, kind = {model.__name__: model for model in recipes}, kind_of(path, metadata)
    if kind not in accepted:
        raise InputError(
            f"{path}: is a file of {kind}, not of {' or '.join(accepted)}; give another"
        )
    model = accepted[kind].from_state(path, arrays, metadata, backend, kernels)
    missing = [name for name in ("vocabulary", "recipe") if name not in metadata]
    if missing:
        raise InputError(
            f"{path}: has no {missing[0]}; give a file that a training or the Python class wrote"
        )
    trained = read_metadata(path, metadata, TrainedMetadata)
    try:
        recipe = recipes[accepted[kind]](**trained.recipe)
    except (TypeError, InputError) as error:
        raise InputError(f"{path}: its recipe is damaged ({error}); give another") from None
    vocabulary = Vocabulary(trained.vocabulary, nil=bool(model.nil_rows), spelling=trained.spelling)
    if vocabulary.words != trained.vocabulary:
        raise InputError(
            f"{path}: its vocabulary is not sorted or has a word twice; the file is damaged, give "
            "another"
        )
    if len(vocabulary) != model.config.vocabulary_size:
        raise InputError(
            f"{path}: {len(vocabulary)} word ids for a vocabulary_size of "
            f"{model.config.vocabulary_size}; the file is damaged, give another"
        )
    return Trained(model, vocabulary, recipe)
