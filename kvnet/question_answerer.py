"""Question answering on plain Python stories and facts: fit, predict, save, load."""

import os
import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import NamedTuple

import numpy

from kvnet.backend import array_module, to_numpy
from kvnet.data.dataset import Dataset, Sizes, check_example, check_words, cut_text
from kvnet.data.example import Example
from kvnet.data.exchange import exchange_values as with_exchanged_values
from kvnet.data.exchange import exchangeable
from kvnet.data.simulator.dice import Dice
from kvnet.data.story import words_of
from kvnet.data.task_data import encode_splits, held_out
from kvnet.errors import InputError, shown
from kvnet.kernels import kernel_threads
from kvnet.models import KeyValueMemoryNetwork, MemN2N
from kvnet.training.compiling import announce_compilation
from kvnet.training.prediction import map_batches
from kvnet.training.recipes.key_value import KeyValueRecipe
from kvnet.training.recipes.memn2n import MemN2NRecipe
from kvnet.training.session import (
    check_random_state,
    check_recipe,
    check_text,
    checked_examples,
    train_to_end,
)
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
        Spelled as in the training texts.
    probability : float
    attention : (H, M) float array
        The weight of each slot in each hop; column 0 is the most recent of the memory's M slots.
    candidates : list of (str, float)
        The most probable words with their probabilities, the answer first: as many as `predict`
        was asked for.
    """

    word: str
    probability: float
    attention: numpy.ndarray
    candidates: list[tuple[str, float]]


class QuestionAnswerer:
    """A memory network with its vocabulary, for questions about your own texts.

    Parameters
    ----------
    recipe : KeyValueRecipe or MemN2NRecipe, optional
        Hyper-parameters; they select the model. By default the published ones of the Key-Value
        Memory Network, with new batches every epoch, smaller ones if there are fewer examples, and
        slots for the longest memory; if values are exchanged, those with which it learns to read
        them.
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
            If there is no example, one cannot be used, the recipe cannot be applied to them, or the
            training diverges; the answerer is then as it was before.

        Warns
        -----
        UserWarning
            If the recipe cuts memories or leaves examples out, or ``kernels="fused"`` is not
            possible for whole steps.
        """
        check_recipe(self.recipe, tuple(RECIPES.values()))
        check_random_state(self.random_state)
        examples = checked_examples(examples)
        if not examples:
            raise InputError("fit needs at least one example")
        for index, each in enumerate(examples):
            try:
                check_example(each)
            except InputError as error:
                raise InputError(f"examples[{index}]: {error}") from None
            if not each.answer:
                question = shown(" ".join(each.question))
                raise InputError(
                    f"examples[{index}], {question}: has no answer; fit needs one in every example"
                )
        if not isinstance(validation_share, Real) or not 0 <= validation_share < 1:
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
        cut = cut_text(examples, recipe.memory_size)
        if cut:
            warnings.warn(cut, stacklevel=2)
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
        if run.trainer.batches.note:
            warnings.warn(run.trainer.batches.note, stacklevel=2)
        before = dict(vars(self))
        self.model, self.vocabulary, self.sizes = run.model, data.vocabulary, data.sizes
        self.history, self._fitted_recipe = run.history, recipe
        try:
            train_to_end(run, self.verbose)
        except Exception:  # it diverged, or the like: its model is of no use
            vars(self).clear()
            vars(self).update(before)
            raise
        return self

    def predict(
        self, examples: Sequence[Example], top_k: int = 1, on_error: str = "raise"
    ) -> list[Answer]:
        """Answer questions.

        Parameters
        ----------
        examples : sequence of Example
            Their answers are not used.
        top_k : int, default=1
            Number of candidates of each answer.
        on_error : {"raise", "none"}, default="raise"
            What to do if some questions cannot be answered: raise an error that names one, or warn
            and return None in their places.

        Returns
        -------
        answers : list of Answer
            With None, if `on_error` says so, for a question that cannot be answered.

        Raises
        ------
        InputError
            If a word was not in the training text, a sentence is longer than any there, nothing has
            been trained or loaded yet, or an argument is out of range.

        Warns
        -----
        UserWarning
            If a memory has more slots than the model: it reads the most recent ones.
        """
        self._check_trained()
        examples = checked_examples(examples)
        words = len(self.vocabulary) - 1  # without the nil word
        if not isinstance(top_k, Integral) or not 1 <= top_k <= words:
            raise InputError(
                f"top_k={shown(top_k)} is out of range; it takes a whole number from 1 to {words}, "
                "the number of words that the model knows"
            )
        if on_error not in ("raise", "none"):
            raise InputError(f"on_error={shown(on_error)} is out of range; it takes raise or none")
        unanswered = [each._replace(answer="") for each in examples]
        problems = self._problems(unanswered)
        if problems:
            index, problem = next(iter(problems.items()))
            if len(examples) == 1 and on_error == "raise":
                raise InputError(problem)
            text = f"examples[{index}]: {problem}"
            if len(problems) > 1:
                text = f"{len(problems)} of {len(examples)} questions have no answer; first {text}"
            if on_error == "raise":
                raise InputError(f"{text}; or give on_error='none' to answer the others")
            warnings.warn(text, stacklevel=2)
        usable = [each for index, each in enumerate(unanswered) if index not in problems]
        cut = cut_text(usable, self.sizes.memory_size)
        if cut:
            warnings.warn(cut, stacklevel=2)
        answers = iter(self._answers(usable, top_k))
        return [None if i in problems else next(answers) for i in range(len(examples))]

    def _problems(self, examples):
        """Return why examples cannot be answered, by their indices."""
        problems, sizes = {}, self.sizes
        for index, example in enumerate(examples):
            try:
                check_words(example, self.vocabulary, sizes.sentence_size)
                if isinstance(self.model, MemN2N):
                    _check_one_text_per_slot([example])
            except InputError as error:
                problems[index] = str(error)
        return problems

    def _answers(self, examples, top_k):
        if not examples:
            return []
        dataset = Dataset.of_examples(examples, self.vocabulary, self.sizes, self.model.xp)
        with kernel_threads(os.cpu_count() or 1), announce_compilation():
            parts = map_batches(
                lambda batch: map(to_numpy, self.model.predict_proba(batch)), dataset
            )
        answers, spelled = [], self.vocabulary.spelled
        for p, attention in parts:
            for b, row in enumerate(p):
                slots = len(examples[len(answers)].keys)
                scores = row[1 : len(self.vocabulary)]  # no nil word, no time words of MemN2N
                best = 1 + numpy.argsort(-scores, kind="stable")[:top_k]
                candidates = [(spelled(int(i)), float(row[i])) for i in best]
                answers.append(Answer(*candidates[0], attention[:, b, :slots], candidates))
        return answers

    def score(self, examples: Sequence[Example]) -> float:
        """Return the share of questions that are answered correctly.

        Parameters
        ----------
        examples : sequence of Example
            With answers. An answer that is no word of the training text counts as not given.

        Returns
        -------
        accuracy : float
            From 0 to 1.

        Raises
        ------
        InputError
            As `predict`, or if there is no example, or one has no answer.
        """
        examples = list(examples)
        answers = self.predict(examples)
        if not examples:
            raise InputError("score needs at least one example")
        missing = next((i for i, each in enumerate(examples) if not each.answer), None)
        if missing is not None:
            raise InputError(
                f"examples[{missing}]: has no answer; score needs one in every example"
            )
        right = [
            answer.word == self.vocabulary.spelling.get(each.answer, each.answer)
            for answer, each in zip(answers, examples, strict=True)
        ]
        return sum(right) / len(right)

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
        check_text("sentence", sentence)
        if not words_of(sentence):
            raise InputError(f"{shown(sentence)} has no word; write a sentence")
        example = Example.of_story(sentence, [sentence])
        check_words(example, self.vocabulary, self.sizes.sentence_size)

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
    longest = max(len(example.keys) for example in examples)
    if not reads_values:
        return KeyValueRecipe(
            shuffle_questions=True,
            batch_size=batch_size,
            memory_size=max(KeyValueRecipe.memory_size, longest),
        )
    epochs = max(40, READING_STEPS // (count // batch_size))
    return KeyValueRecipe(
        shuffle_questions=True,
        batch_size=batch_size,
        epochs=epochs,
        evaluation_interval=epochs // 10,
        learning_rate=0.003,
        epsilon=1e-4,
        l2_lambda=0.0,  # the published penalty keeps the attention from being sharp
        memory_size=max(KeyValueRecipe.memory_size, longest),
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


def _check_one_text_per_slot(examples):
    for each in examples:
        if each.keys != each.values:
            raise InputError(
                f"{shown(' '.join(each.question))}: its keys and values differ, but MemN2N reads "
                "one text per slot; use KeyValueRecipe, or Example.of_story"
            )
