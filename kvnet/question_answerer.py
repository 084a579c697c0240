"""Question answering on plain Python stories: fit, predict, save, load."""

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy

from kvnet.backend import array_module, to_numpy
from kvnet.files.checkpoint import read_arrays, write_arrays
from kvnet.data.dataset import Dataset, Sizes, sizes_of, vocabulary_of
from kvnet.data.example import Example
from kvnet.data.story import words_of
from kvnet.data.vocabulary import Vocabulary
from kvnet.errors import InputError
from kvnet.kernels import kernel_threads
from kvnet.models.key_value_memory_network import KeyValueMemoryNetwork
from kvnet.models.memn2n import MemN2N
from kvnet.training.recipes.memn2n import MemN2NSettings
from kvnet.training.pace import Pace
from kvnet.training.prediction import map_batches
from kvnet.training.recipes.key_value import Settings
from kvnet.training.trainer import Trainer


class Answer(NamedTuple):
    """An answer and where it came from.

    Attributes
    ----------
    word : str
    probability : float
    attention : (H, M) float array
        What each hop read; column 0 is the most recent slot, M the slots of the question's memory.
    """

    word: str
    probability: float
    attention: numpy.ndarray


def example(
    question: str,
    story: Sequence[str] | None = None,
    answer: str = "",
    keys: Sequence[str] | None = None,
    values: Sequence[str] | None = None,
) -> Example:
    """Make an example of plain text.

    Parameters
    ----------
    question : str
    story : sequence of str, optional
        Sentences, oldest first: both keys and values of the memory.
    answer : str
        One word; left out for a question to be answered.
    keys, values : sequence of str, optional
        A memory whose keys and values differ, in place of `story`.

    Returns
    -------
    example : Example

    Raises
    ------
    InputError
        If not exactly one of `story` and `keys` with `values` is given.
    """
    if isinstance(story, str):
        raise InputError(f"story={story!r} is one text; give a list of sentences")
    if (story is None) == (keys is None) or (keys is None) != (values is None):
        raise InputError("an example takes either story, or keys and values together")
    memory = tuple(words_of(line) for line in (keys if story is None else story))
    second = memory if values is None else tuple(words_of(line) for line in values)
    return Example(words_of(question), memory, second, answer.strip().lower())


class QuestionAnswerer:
    """A memory network with its vocabulary, for questions about your own texts.

    `fit` trains a Key-Value Memory Network; `load` takes a MemN2N of `train_babi.py` too.

    Parameters
    ----------
    settings : Settings, optional
        Hyper-parameters; the published joint ones without it, with new batches every epoch.
    backend : {"numpy", "cupy", "auto"}
    random_state : int
    kernels : {"reference", "fused", "auto"}

    Attributes
    ----------
    model : KeyValueMemoryNetwork or MemN2N
        After `fit` or `load`.
    vocabulary : Vocabulary

    Examples
    --------
    >>> from kvnet import QuestionAnswerer, Settings, example
    >>> town = dict(keys=["capital france", "capital peru"], values=["paris", "lima"])
    >>> examples = [example("capital france?", answer="paris", **town),
    ...             example("capital peru?", answer="lima", **town)]
    >>> answerer = QuestionAnswerer(Settings(epochs=300, learning_rate=0.01, batch_size=2))
    >>> answerer.fit(examples).predict([example("capital peru?", **town)])[0].word
    'lima'
    """

    def __init__(
        self,
        settings: Settings | None = None,
        backend: str = "numpy",
        random_state: int = 0,
        kernels: str = "auto",
    ):
        self.settings = settings or Settings(shuffle_questions=True)
        self.backend, self.random_state, self.kernels = backend, random_state, kernels

    def fit(self, examples: Sequence[Example]) -> "QuestionAnswerer":
        """Train on examples.

        Parameters
        ----------
        examples : sequence of Example
            All of them are trained on; hold out your own for a test.

        Returns
        -------
        self : QuestionAnswerer

        Raises
        ------
        InputError
            If there is no example, or one without a memory.
        """
        if not examples:
            raise InputError("fit needs at least one example")
        for each in examples:
            if not each.answer or not each.question:
                missing = "answer" if each.question else "question"
                raise InputError(f"{each}: has no {missing}; fit needs one in every example")
        s = replace(
            self.settings,
            shuffle_questions=True,
            batch_size=min(self.settings.batch_size, len(examples)),
        )
        self.vocabulary = vocabulary_of(examples)
        self.sizes = sizes_of(examples, s.memory_size)
        # The data first: an example that cannot be used is told by name, not by a model's size.
        dataset = Dataset(examples, self.vocabulary, self.sizes, array_module(self.backend))
        self.model = s.new_model(
            len(self.vocabulary), self.sizes, self.random_state, self.backend, self.kernels
        )
        trainer, pace = Trainer(self.model, dataset, s, self.random_state), Pace()
        with kernel_threads(os.cpu_count() or 1):
            while trainer.step < trainer.steps:
                count = min(pace.steps, trainer.steps - trainer.step)
                with pace.timed(count):
                    trainer.train(count)
        return self

    def predict(self, examples: Sequence[Example]) -> list[Answer]:
        """Answer questions.

        Parameters
        ----------
        examples : sequence of Example
            Their answers are not looked at.

        Returns
        -------
        answers : list of Answer

        Raises
        ------
        InputError
            If a word was not in the training text, a sentence is longer than any there, or nothing
            has been trained or loaded yet.
        """
        self._check_trained()
        unanswered = [example._replace(answer="") for example in examples]
        if not unanswered:
            return []
        dataset = Dataset(unanswered, self.vocabulary, self.sizes, self.model.xp)
        with kernel_threads(os.cpu_count() or 1):
            parts = map_batches(
                lambda batch: map(to_numpy, self.model.predict_proba(batch)), dataset
            )
        answers = []
        for p, attention in parts:
            for b, row in enumerate(p):
                slots = len(examples[len(answers)].keys)
                best = int(row[: len(self.vocabulary)].argmax())  # MemN2N's time words come after
                answers.append(
                    Answer(self.vocabulary.word(best), float(row[best]), attention[:, b, :slots])
                )
        return answers

    def check_words(self, sentence: str) -> None:
        """Raise an `InputError` unless the model can read a sentence: its words and its length."""
        Dataset([example(sentence, [sentence])], self.vocabulary, self.sizes)

    def save(self, path: str | Path) -> None:
        """Write the model and its vocabulary to a file.

        Parameters
        ----------
        path : str or Path
            A safetensors file, written to a temporary name first and renamed.

        Raises
        ------
        InputError
            If it cannot be written, or nothing has been trained or loaded yet.
        """
        self._check_trained()
        arrays, metadata = self.model.state()
        metadata |= {"vocabulary": self.vocabulary.words, "settings": asdict(self.settings)}
        write_arrays(path, arrays, metadata)

    @classmethod
    def load(
        cls, path: str | Path, backend: str = "numpy", kernels: str = "auto"
    ) -> "QuestionAnswerer":
        """Read what `save` wrote, or the checkpoint of a training.

        Parameters
        ----------
        path : str or Path
        backend : {"numpy", "cupy", "auto"}
        kernels : {"reference", "fused", "auto"}

        Returns
        -------
        answerer : QuestionAnswerer

        Raises
        ------
        InputError
            If the file cannot be read or holds no model with a vocabulary.
        """
        arrays, metadata = read_arrays(path)
        kind, recipe = KeyValueMemoryNetwork, Settings
        if "tying" in metadata.get("model", ()):  # what only MemN2N has
            kind, recipe = MemN2N, MemN2NSettings
        model = kind.from_state(path, arrays, metadata, backend, kernels)
        try:
            words, settings = metadata["vocabulary"], recipe(**metadata["settings"])
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{path}: holds a model without its {error}; give a file that QuestionAnswerer or "
                "a training wrote"
            ) from None
        if len(words) + 1 != model.config["vocabulary_size"]:
            raise InputError(
                f"{path}: {len(words)} words for a vocabulary_size of "
                f"{model.config['vocabulary_size']}; the file is damaged, give another"
            )
        answerer = cls(settings, backend, kernels=kernels)
        answerer.model, answerer.vocabulary = model, Vocabulary(words)
        answerer.sizes = Sizes(model.config["sentence_size"], model.config["memory_size"])
        return answerer

    def _check_trained(self):
        if not hasattr(self, "model"):
            raise InputError("this QuestionAnswerer knows nothing yet; call fit, or use load")
