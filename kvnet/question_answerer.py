"""Question answering on plain Python stories and facts: fit, predict, save, load."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy

from kvnet.backend import array_module, to_numpy
from kvnet.data.dataset import Dataset, Sizes
from kvnet.data.example import Example
from kvnet.data.exchange import exchange_values as with_exchanged_values
from kvnet.data.exchange import exchangeable
from kvnet.data.simulator.dice import Dice
from kvnet.data.task_data import encode_splits, held_out
from kvnet.errors import InputError
from kvnet.kernels import kernel_threads
from kvnet.models import KeyValueMemoryNetwork, MemN2N
from kvnet.training.prediction import map_batches
from kvnet.training.recipes.key_value import KeyValueRecipe
from kvnet.training.recipes.memn2n import MemN2NRecipe
from kvnet.training.session import check_random_state, train_to_end
from kvnet.training.task_run import TaskRun
from kvnet.training.trained_file import Trained, read_trained, write_trained

READING_STEPS = 4000
"""Steps of the default recipe for memories whose values are exchanged."""
MOST_VARIED = 20_000
"""Questions, at most, in all variants together, if there are more than two variants."""
RECIPES = {KeyValueMemoryNetwork: KeyValueRecipe, MemN2N: MemN2NRecipe}


class Answer(NamedTuple):
    """An answer and where it was read.

    Attributes
    ----------
    word : str
    probability : float
    attention : (H, M) float array
        The weight of each slot in each hop; column 0 is the most recent of the memory's M slots.
    """

    word: str
    probability: float
    attention: numpy.ndarray


class QuestionAnswerer:
    """A memory network with its vocabulary, for questions about your own texts.

    Parameters
    ----------
    recipe : KeyValueRecipe or MemN2NRecipe, optional
        Hyper-parameters; they select the model. By default the published ones of the Key-Value
        Memory Network, with new batches every epoch, and smaller ones if there are fewer examples;
        if values are exchanged, those with which it learns to read them.
    backend : {"numpy", "cupy", "auto"}, default="numpy"
        Array library; ``"auto"`` uses a GPU if there is one.
    random_state : int, default=0
        Seed, 0 to 2**32 - 1.
    kernels : {"reference", "fused", "auto"}, default="auto"
        Textbook operations, fused ones, or fused ones where they run.
    verbose : bool, default=False
        Show the progress of `fit` on standard error.

    Attributes
    ----------
    model : KeyValueMemoryNetwork or MemN2N
        After `fit` or `load`.
    vocabulary : Vocabulary
    history : list of dict
        After `fit`: one record per evaluation, with the loss and the accuracy.

    Examples
    --------
    >>> from kvnet import Example, KeyValueRecipe, QuestionAnswerer
    >>> towns = dict(keys=["capital france", "capital peru"], values=["paris", "lima"])
    >>> examples = [Example.of_memory("capital france?", answer="paris", **towns),
    ...             Example.of_memory("capital peru?", answer="lima", **towns)]
    >>> recipe = KeyValueRecipe(
    ...     epochs=300, learning_rate=0.01, batch_size=2, shuffle_questions=True)
    >>> answerer = QuestionAnswerer(recipe).fit(examples)
    >>> answerer.predict([Example.of_memory("capital peru?", **towns)])[0].word
    'lima'
    """

    def __init__(
        self,
        recipe: KeyValueRecipe | MemN2NRecipe | None = None,
        backend: str = "numpy",
        random_state: int = 0,
        kernels: str = "auto",
        verbose: bool = False,
    ):
        self.recipe, self.backend, self.kernels = recipe, backend, kernels
        self.random_state, self.verbose = random_state, verbose

    def fit(
        self,
        examples: Sequence[Example],
        validation_share: float = 0.0,
        exchange_values: bool = True,
    ) -> "QuestionAnswerer":
        """Train on examples, as the commands train.

        Ctrl-C ends the training after the current steps and raises KeyboardInterrupt; the model is
        then usable as far as it is trained.

        Parameters
        ----------
        examples : sequence of Example
        validation_share : float, default=0.0
            Share of the examples that is drawn at random, not trained on, and evaluated as
            validation. Early stopping needs one.
        exchange_values : bool, default=True
            Whether the values of memories whose keys and values differ are exchanged in every
            epoch, and the answers with them, so that the model reads values instead of remembering
            them. Turn it off if the memory will never change.

        Returns
        -------
        self : QuestionAnswerer

        Raises
        ------
        InputError
            If there is no example, one cannot be used, or the recipe cannot be applied to them.
        """
        _check_recipe(self.recipe)
        check_random_state(self.random_state)
        examples = list(examples)
        if not examples:
            raise InputError("fit needs at least one example")
        _check_examples(examples)
        for number, each in enumerate(examples, start=1):
            if not each.answer or not each.question:
                name = f"example {number}, {' '.join(each.question)!r}"
                missing = "answer" if each.question else "question"
                raise InputError(f"{name}: has no {missing}; fit needs one in every example")
        if not 0 <= validation_share < 1:
            raise InputError(
                f"validation_share={validation_share!r} is out of range; it takes a number from 0, "
                "below 1"
            )
        count = max(1, int(validation_share * len(examples))) if validation_share else 0
        if count == len(examples):
            raise InputError(
                f"validation_share={validation_share!r} leaves no example to train on; give more "
                "examples"
            )
        words = exchangeable(examples) if exchange_values else []
        recipe = self.recipe or _default_recipe(examples, len(examples) - count, len(words) > 1)
        if recipe.early_stopping and not count:
            raise InputError(
                f"early_stopping={recipe.early_stopping} needs validation examples; give fit a "
                "validation_share, or leave early_stopping at 0"
            )
        if isinstance(recipe, MemN2NRecipe):
            _check_one_text_per_slot(examples)
        kept, drawn = held_out(examples, count, self.random_state, "validation")
        splits = {"training": [(1, kept)]} | ({"validation": [(1, drawn)]} if drawn else {})
        data = encode_splits(splits, recipe.memory_size, array_module(self.backend))
        if len(words) > 1:
            data = data._replace(
                varied=_varied(kept, words, recipe.epochs, data, self.random_state)
            )
        run = TaskRun(data, recipe, self.random_state, backend=self.backend, kernels=self.kernels)
        self.model, self.vocabulary, self.sizes = run.model, data.vocabulary, data.sizes
        self.history, self._fitted_recipe = run.history, recipe
        train_to_end(run, self.verbose)
        return self

    def predict(self, examples: Sequence[Example]) -> list[Answer]:
        """Answer questions.

        Parameters
        ----------
        examples : sequence of Example
            Their answers are not used.

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
        examples = list(examples)
        _check_examples(examples)
        unanswered = [each._replace(answer="") for each in examples]
        if not unanswered:
            return []
        if isinstance(self.model, MemN2N):
            _check_one_text_per_slot(unanswered)
        dataset = Dataset.of_examples(unanswered, self.vocabulary, self.sizes, self.model.xp)
        with kernel_threads(os.cpu_count() or 1):
            parts = map_batches(
                lambda batch: map(to_numpy, self.model.predict_proba(batch)), dataset
            )
        answers = []
        for p, attention in parts:
            for b, row in enumerate(p):
                slots = len(unanswered[len(answers)].keys)
                best = int(row[: len(self.vocabulary)].argmax())  # MemN2N's time words follow
                answers.append(
                    Answer(self.vocabulary.word(best), float(row[best]), attention[:, b, :slots])
                )
        return answers

    def check_words(self, sentence: str) -> None:
        """Check that the model can read a sentence.

        Parameters
        ----------
        sentence : str

        Raises
        ------
        InputError
            If a word was not in the training text, the sentence is longer than any there, or
            nothing has been trained or loaded yet.
        """
        self._check_trained()
        example = Example.of_story(sentence, [sentence])
        Dataset.of_examples([example], self.vocabulary, self.sizes)

    def save(self, path: str | Path) -> None:
        """Write the model, its vocabulary and its recipe to a file.

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
        write_trained(path, Trained(self.model, self.vocabulary, self._fitted_recipe))

    @classmethod
    def load(
        cls, path: str | Path, backend: str = "numpy", kernels: str = "auto"
    ) -> "QuestionAnswerer":
        """Read a file that `save` or ``train_babi.py`` wrote.

        Parameters
        ----------
        path : str or Path
        backend : {"numpy", "cupy", "auto"}, default="numpy"
        kernels : {"reference", "fused", "auto"}, default="auto"

        Returns
        -------
        answerer : QuestionAnswerer

        Raises
        ------
        InputError
            If the file cannot be read or has no question answering model with a vocabulary.
        """
        model, vocabulary, recipe = read_trained(path, RECIPES, backend, kernels)
        answerer = cls(recipe, backend, kernels=kernels)
        answerer.model, answerer.vocabulary = model, vocabulary
        answerer.sizes = Sizes(model.config.sentence_size, model.config.memory_size)
        answerer._fitted_recipe = recipe
        return answerer

    def _check_trained(self):
        if not hasattr(self, "model"):
            raise InputError("this QuestionAnswerer is not trained; call fit, or use load")


def _default_recipe(examples, count, reads_values):
    batch_size = min(KeyValueRecipe.batch_size, count)
    if not reads_values:
        return KeyValueRecipe(shuffle_questions=True, batch_size=batch_size)
    epochs = max(40, READING_STEPS // (count // batch_size))
    return KeyValueRecipe(
        shuffle_questions=True,
        batch_size=batch_size,
        epochs=epochs,
        evaluation_interval=epochs // 10,
        learning_rate=0.003,
        epsilon=1e-4,
        l2_lambda=0.0,  # the published penalty keeps the attention from being sharp
        memory_size=max(len(example.keys) for example in examples),
    )


def _varied(examples, words, epochs, data, random_state):
    """Return the training questions in several variants: as they are, and with other values."""
    variants = min(epochs, max(2, MOST_VARIED // len(examples)))
    dice = Dice(f"exchange of values {random_state}")
    blocks = [examples] + [with_exchanged_values(examples, words, dice) for _ in range(1, variants)]
    flat = [example for block in blocks for example in block]
    dataset = Dataset.of_examples(flat, data.vocabulary, data.sizes, data.training.dataset.xp)
    dataset.variants = variants
    return dataset


def _check_recipe(recipe):
    if recipe is not None and not isinstance(recipe, tuple(RECIPES.values())):
        names = " or ".join(f"a {kind.__name__}" for kind in RECIPES.values())
        raise InputError(f"recipe is a {type(recipe).__name__}; give {names}")


def _check_examples(examples):
    wrong = next((each for each in examples if not isinstance(each, Example)), None)
    if wrong is not None:
        raise InputError(
            f"{wrong!r} is a {type(wrong).__name__}, not an Example; use Example.of_story or "
            "Example.of_memory"
        )


def _check_one_text_per_slot(examples):
    for each in examples:
        if each.keys != each.values:
            raise InputError(
                f"{' '.join(each.question)!r}: its keys and values differ, but MemN2N reads one "
                "text per slot; use KeyValueRecipe, or Example.of_story"
            )
