"""Text that goes on: words drawn from a trained language model, with where each came from."""

from pathlib import Path
from typing import NamedTuple

import numpy

from kvnet.backend import to_numpy
from kvnet.files.checkpoint import read_arrays
from kvnet.counter_random import uniform
from kvnet.data.text import END, Text, known_words
from kvnet.data.vocabulary import Vocabulary
from kvnet.errors import InputError
from kvnet.models.memn2n_language_model import MemN2NLanguageModel


class NextWord(NamedTuple):
    """A word that a language model added to a text.

    Attributes
    ----------
    word : str
    probability : float
    context : list of str
        The words that the model had before it, the nearest first.
    attention : (H, M) float array
        How much each hop looked at each of them.
    """

    word: str
    probability: float
    context: list[str]
    attention: numpy.ndarray


def load_language_model(
    path: Path, backend: str, kernels: str
) -> tuple[MemN2NLanguageModel, Vocabulary]:
    """Read a model and its words from a training's checkpoint.

    Parameters
    ----------
    path : Path
    backend : {"numpy", "cupy", "auto"}
    kernels : {"reference", "fused", "auto"}

    Returns
    -------
    model : MemN2NLanguageModel
    vocabulary : Vocabulary

    Raises
    ------
    InputError
        If the file cannot be read or holds no language model with its words.
    """
    arrays, metadata = read_arrays(path)
    model = MemN2NLanguageModel.from_state(path, arrays, metadata, backend, kernels)
    vocabulary = Vocabulary(metadata.get("vocabulary", ()), nil=False)
    if len(vocabulary) != model.config["vocabulary_size"]:
        raise InputError(
            f"{path}: {len(vocabulary)} words for a vocabulary_size of "
            f"{model.config['vocabulary_size']}; the file is damaged, give another"
        )
    return model, vocabulary


def prompt_words(text: str, vocabulary: Vocabulary) -> list[str]:
    """Split a text to be gone on with into words that a vocabulary has; see `known_words`.

    Parameters
    ----------
    text : str
        Lines end in ``<eos>``, except the last, which goes on.
    vocabulary : Vocabulary

    Returns
    -------
    words : list of str
        After an ``<eos>``, since a text begins a line.

    Raises
    ------
    InputError
        Naming the words that are not in the vocabulary, where it has no ``<unk>``.
    """
    words = text.replace("\n", f" {END} ").split()
    return [END, *known_words(words, vocabulary, repr(text))]


def continue_text(
    model: MemN2NLanguageModel,
    vocabulary: Vocabulary,
    words: list[str],
    count: int,
    random_state: int,
) -> list[NextWord]:
    """Draw the words that follow, each by its probability given those before.

    Parameters
    ----------
    model : MemN2NLanguageModel
    vocabulary : Vocabulary
    words : list of str
        The text so far, at least one word; the model reads the last `mem_size`.
    count : int
        Words to add.
    random_state : int
        The same seed draws the same words.

    Returns
    -------
    added : list of NextWord
    """
    words, added = list(words), []
    for step in range(count):
        recent = words[-model.config["mem_size"] :]
        ids = numpy.array(vocabulary.ids([*recent, END], "text"), numpy.int32)  # END: to be drawn
        text = Text(ids, len(recent), len(vocabulary), model.xp)
        p, attention = map(to_numpy, model.predict_proba(text.batch(model.xp.array([len(recent)]))))
        u = uniform(numpy, random_state, "next word", step, (1,), "float64")
        shares = numpy.cumsum(p[0], dtype="float64")
        drawn = int(numpy.searchsorted(shares, u[0] * shares[-1]))
        word = vocabulary.word(drawn)
        added.append(NextWord(word, float(p[0, drawn]), recent[::-1], attention[:, 0]))
        words.append(word)
    return added
