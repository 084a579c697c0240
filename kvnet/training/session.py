"""A training from Python: its arguments, its progress, and Ctrl-C between two steps."""

import numbers
import os
import threading
import warnings
from collections.abc import Iterable, Mapping
from contextlib import nullcontext

from kvnet.data.example import Example
from kvnet.errors import InputError, shown
from kvnet.kernels import kernel_threads
from kvnet.training.compiling import announce_compilation
from kvnet.training.fused_steps import why_not_fused
from kvnet.training.progress import Progress
from kvnet.training.recipes.recipe import Recipe
from kvnet.training.run import Run, train_runs
from kvnet.training.stop import StopRequest


def check_random_state(random_state: int) -> None:
    """Raise an `InputError` unless a seed is a whole number from 0 to 2**32 - 1."""
    if not is_whole(random_state) or not 0 <= random_state < 2**32:
        raise InputError(
            f"random_state={shown(random_state)} is out of range; it takes a whole number from 0 "
            f"to {2**32 - 1}"
        )


def is_whole(value) -> bool:
    """Return whether a value is a whole number, of Python or NumPy."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_recipe(recipe, kinds: tuple[type[Recipe], ...]) -> None:
    """Raise an `InputError` unless a recipe is of one of some classes, or None."""
    if recipe is None or isinstance(recipe, kinds):
        return
    names = " or ".join(f"a {kind.__name__}" for kind in kinds)
    hint = f", such as {kinds[0].__name__}(**recipe)" if isinstance(recipe, Mapping) else ""
    raise InputError(f"recipe is a {type(recipe).__name__}; give {names}{hint}")


def check_text(name: str, text: str) -> None:
    """Raise an `InputError` unless an argument is a text."""
    if not isinstance(text, str):
        raise InputError(f"{name} is a {type(text).__name__}; give a text (str)")


def checked_examples(examples: Iterable[Example]) -> list[Example]:
    """Return examples, from any iterable, as a list.

    Raises
    ------
    InputError
        If they are not examples, or one was not made by `Example.of_story` or `of_memory` and
        cannot be used.
    """
    makers = "Example.of_story or Example.of_memory"
    if isinstance(examples, Example):
        raise InputError("examples is one Example; give a list of them: [example]")
    if not isinstance(examples, Iterable) or isinstance(examples, str | bytes | Mapping):
        kind = type(examples).__name__
        raise InputError(f"examples is a {kind}; give a list of examples, made by {makers}")
    examples, known = list(examples), set()
    for index, each in enumerate(examples):
        if not isinstance(each, Example):
            raise InputError(
                f"examples[{index}]: {shown(each)} is a {type(each).__name__}, not an Example; use "
                f"{makers}"
            )
        sentences = [each.question]
        for slots in (each.keys, each.values):
            sentences += slots if isinstance(slots, tuple) else [None]
        new = [sentence for sentence in sentences if id(sentence) not in known]
        if not isinstance(each.answer, str) or not all(map(_is_words, new)):
            raise InputError(
                f"examples[{index}]: its question, keys, values and answer are not words in "
                f"tuples; use {makers}, which split texts into words"
            )
        known.update(map(id, new))  # `examples` keeps the sentences, and so their ids
    return examples


def _is_words(sentence):
    return isinstance(sentence, tuple) and all(isinstance(word, str) for word in sentence)


def train_to_end(run: Run, verbose: bool) -> None:
    """Train a run to its end.

    Parameters
    ----------
    run : Run
    verbose : bool
        Show the progress on standard error.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, SIGTERM or SIGHUP, between two steps.
    """
    reason = why_not_fused([run.trainer])
    if run.model.kernels == "fused" and reason:
        warnings.warn(reason, stacklevel=3)  # names the caller of fit
    progress = Progress([run], "training", quiet=not verbose)
    in_main_thread = threading.current_thread() is threading.main_thread()
    # Python delivers signals to the main thread only.
    with StopRequest() if in_main_thread else nullcontext(False) as stop:
        try:
            with kernel_threads(os.cpu_count() or 1), announce_compilation():
                finished = train_runs([run], progress.step, lambda: bool(stop))
        finally:
            progress.close()
    if stop or not finished:  # a signal in the last steps must not be lost
        raise KeyboardInterrupt
