"""Text continuation with a memory network: fit, continue_text, perplexity, save, load."""

import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy

from kvnet.backend import array_module, to_numpy
from kvnet.data.lines import split_lines
from kvnet.data.text import (
    END,
    UNKNOWN,
    Text,
    encode_texts,
    known_words,
    unknown_text,
    words_of_lines,
    words_of_text,
)
from kvnet.errors import InputError, shown
from kvnet.models.memn2n_language_model import MemN2NLanguageModel
from kvnet.operations.uniform import uniform
from kvnet.training.compiling import announce_compilation
from kvnet.training.recipes.language_model import LanguageModelRecipe
from kvnet.training.session import (
    check_random_state,
    check_recipe,
    check_text,
    is_whole,
    train_to_end,
)
from kvnet.training.text_loss import text_loss
from kvnet.training.text_run import TextRun, perplexity
from kvnet.training.trained_file import Trained, read_trained, write_trained

VALIDATION_SHARE = 0.1


class NextWord(NamedTuple):
    """A word that was added to a text, and the words that it was predicted from.

    Attributes
    ----------
    word : str
    probability : float
    context : list of str
        The words of the memory, the nearest first.
    attention : (H, M) float array
        The weight of each of them in each hop.
    """

    word: str
    probability: float
    context: list[str]
    attention: numpy.ndarray


class TextContinuer:
    r"""A language model with a memory and its vocabulary, for your own texts.

    A text is lines of words separated by spaces; the end of a line is a word too, ``<eos>``.

    Parameters
    ----------
    recipe : LanguageModelRecipe, optional
        Hyper-parameters; the published ones by default.
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
    model : MemN2NLanguageModel
        After `fit` or `load`.
    vocabulary : Vocabulary
    history : list of dict
        After `fit`: one record per epoch, with the validation loss.

    Examples
    --------
    >>> from kvnet import LanguageModelRecipe, TextContinuer
    >>> recipe = LanguageModelRecipe(
    ...     embedding_size=8, linear_size=4, hops=2, memory_size=4, batch_size=16, epochs=20)
    >>> continuer = TextContinuer(recipe).fit("the cat sat on the mat\n" * 100)
    >>> [added.word for added in continuer.continue_text("the cat sat on", 2)]
    ['the', 'mat']
    """

    def __init__(
        self,
        recipe: LanguageModelRecipe | None = None,
        backend: str = "numpy",
        random_state: int = 0,
        kernels: str = "auto",
        verbose: bool = False,
    ):
        self.recipe = LanguageModelRecipe() if recipe is None else recipe
        self.backend, self.kernels = backend, kernels
        self.random_state, self.verbose = random_state, verbose

    def fit(self, text: str, validation_text: str | None = None) -> "TextContinuer":
        """Train on a text, as the command trains.

        Ctrl-C ends the training after the current steps and raises KeyboardInterrupt; the model is
        then usable as far as it is trained.

        Parameters
        ----------
        text : str
        validation_text : str, optional
            Lowers the learning rate when the loss on it stagnates. By default the last tenth of the
            lines, which is then not trained on.

        Returns
        -------
        self : TextContinuer

        Raises
        ------
        InputError
            If a text is too short for the memory, or the recipe is that of another model.
        """
        check_recipe(self.recipe, (LanguageModelRecipe,))
        check_random_state(self.random_state)
        check_text("text", text)
        if validation_text is not None:
            check_text("validation_text", validation_text)
        lines = split_lines(text)
        while lines and not lines[-1].strip():
            lines.pop()
        if validation_text is None:
            if len(lines) < 2:
                raise InputError(
                    "text has fewer than two lines, but the last is held out for validation; give "
                    "more, or a validation_text"
                )
            count = max(1, int(VALIDATION_SHARE * len(lines)))
            lines, validation = lines[:-count], lines[-count:]
        else:
            validation = split_lines(validation_text)
        texts = {"text": words_of_lines(lines), "validation_text": words_of_lines(validation)}
        data = encode_texts(texts, self.recipe.memory_size, array_module(self.backend))
        run = TextRun(
            data, self.recipe, self.random_state, backend=self.backend, kernels=self.kernels
        )
        before = dict(vars(self))
        self.model, self.vocabulary, self.history = run.model, data.vocabulary, run.history
        try:
            train_to_end(run, self.verbose)
        except Exception:  # it diverged, or the like: its model is of no use
            vars(self).clear()
            vars(self).update(before)
            raise
        return self

    def continue_text(self, text: str, count: int, random_state: int = 0) -> list[NextWord]:
        """Draw the words that follow a text, each by its probability given those before.

        Parameters
        ----------
        text : str
            The last line continues.
        count : int
            Words to add.
        random_state : int, default=0
            The same seed draws the same words.

        Returns
        -------
        added : list of NextWord

        Raises
        ------
        InputError
            If a word is not in the vocabulary, unless that has ``<unk>``, or nothing has been
            trained or loaded yet.
        """
        self._check_trained()
        if not is_whole(count) or count < 0:
            raise InputError(
                f"count={shown(count)} is out of range; it takes a whole number from 0"
            )
        check_text("text", text)
        self._warn_of_unknown(words_of_text(text))
        return list(itertools.islice(self.draw_words(text, random_state), count))

    def draw_words(self, text: str, random_state: int = 0) -> Iterator[NextWord]:
        """Draw the words of `continue_text` one after another, without an end.

        Parameters
        ----------
        text : str
        random_state : int, default=0

        Returns
        -------
        words : iterator of NextWord

        Raises
        ------
        InputError
            As `continue_text`.
        """
        self._check_trained()
        check_text("text", text)
        check_random_state(random_state)
        words = [END, *known_words(words_of_text(text), self.vocabulary, shown(text))]
        return self._draw(words, random_state)

    def _draw(self, words, random_state):
        model, vocabulary = self.model, self.vocabulary
        for step in itertools.count():
            recent = words[-model.config.memory_size :]
            ids = numpy.array(vocabulary.ids([*recent, END], "text"), numpy.int32)
            context = Text(ids, len(recent), len(vocabulary), model.xp)
            batch = context.batch(model.xp.array([len(recent)]))  # the target END is not used
            with announce_compilation():
                p, attention = map(to_numpy, model.predict_proba(batch))
            u = uniform(numpy, random_state, "next word", step, (1,), "float64")
            cumulative = numpy.cumsum(p[0], dtype="float64")
            drawn = int(numpy.searchsorted(cumulative, u[0] * cumulative[-1]))
            word = vocabulary.word(drawn)
            words = [*recent, word]
            yield NextWord(word, float(p[0, drawn]), recent[::-1], attention[:, 0])

    def _warn_of_unknown(self, words):
        text = unknown_text(words, self.vocabulary, "text")
        if text and UNKNOWN in self.vocabulary:
            warnings.warn(text, stacklevel=3)  # names the caller of the public method

    def perplexity(self, text: str) -> float:
        """Return the perplexity of a text, over the words that have a complete context.

        Parameters
        ----------
        text : str

        Returns
        -------
        perplexity : float

        Raises
        ------
        InputError
            If the text is too short for the memory, or has unknown words and the vocabulary no
            ``<unk>``, or nothing has been trained or loaded yet.
        """
        self._check_trained()
        check_text("text", text)
        texts = {"text": words_of_lines(split_lines(text))}
        self._warn_of_unknown(texts["text"])
        xp, size = self.model.xp, self.model.config.memory_size
        data = encode_texts(texts, size, xp, self.vocabulary)
        with announce_compilation():
            return perplexity(text_loss(self.model, data.training))

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
        write_trained(path, Trained(self.model, self.vocabulary, self.recipe))

    @classmethod
    def load(
        cls, path: str | Path, backend: str = "numpy", kernels: str = "auto"
    ) -> "TextContinuer":
        """Read a file that `save` or ``train_lm.py`` wrote.

        Parameters
        ----------
        path : str or Path
        backend : {"numpy", "cupy", "auto"}, default="numpy"
        kernels : {"reference", "fused", "auto"}, default="auto"

        Returns
        -------
        continuer : TextContinuer

        Raises
        ------
        InputError
            If the file cannot be read or has no language model with its words.
        """
        recipes = {MemN2NLanguageModel: LanguageModelRecipe}
        model, vocabulary, recipe = read_trained(path, recipes, backend, kernels)
        continuer = cls(recipe, backend, kernels=kernels)
        continuer.model, continuer.vocabulary = model, vocabulary
        return continuer

    def _check_trained(self):
        if not hasattr(self, "model"):
            raise InputError("this TextContinuer is not trained; call fit, or use load")
