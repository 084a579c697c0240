"""The flags that training commands share: hyper-parameters, and where a model runs."""

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace

from kvnet.backend import BACKENDS, chosen_backend
from kvnet.cli.arguments import whole_number
from kvnet.errors import InputError, shown
from kvnet.hyper_parameter import flag_of
from kvnet.kernels import CHOICES, kernel_threads
from kvnet.training.compiling import announce_compilation
from kvnet.training.recipes.recipe import Recipe


def add_recipe(
    parser: argparse.ArgumentParser, title: str, recipes: dict[str, type[Recipe]]
) -> None:
    """Add a flag for every hyper-parameter of some recipes, without defaults.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    title : str
        Of the group of flags.
    recipes : dict of str to type
        By the name of the model.
    """
    group, helps, specs = parser.add_argument_group(title), {}, {}
    for model, recipe in recipes.items():
        for spec in fields(recipe):
            takes = "" if spec.type is bool else f" ({spec.metadata['takes']})"
            helps.setdefault(spec.name, {})[model] = spec.metadata["help"] + takes
            specs[spec.name] = spec
    for name, spec in specs.items():
        texts = helps[name]
        help = next(iter(texts.values()))
        if len(set(texts.values())) > 1:
            help = "; ".join(f"{model}: {text}" for model, text in texts.items())
        options = {"default": argparse.SUPPRESS, "dest": name, "help": help}
        if spec.type is bool:
            options |= {"action": "store_true"}
        else:
            options |= {"type": _parser_of(spec), "metavar": spec.type.__name__.upper()}
        group.add_argument(f"--{flag_of(spec)}", **options)


def _parser_of(spec):
    """Return an argument type that names the range of a field if the text is not a number."""

    def parse(text):
        try:
            return spec.type(text)
        except ValueError:
            kind = "a whole number" if spec.type is int else "a number"
            problem = "is too large" if text.strip("+-").isdecimal() else f"is not {kind}"
            raise argparse.ArgumentTypeError(
                f"{shown(text)} {problem}; give {spec.metadata['takes']}"
            ) from None

    return parse


def recipe_from(arguments: argparse.Namespace, preset: Recipe, *kinds: type[Recipe]) -> Recipe:
    """Return a preset with the values of the flags that were given.

    Parameters
    ----------
    arguments : argparse.Namespace
    preset : Recipe
    *kinds : type
        All recipes that the command has flags of.

    Raises
    ------
    InputError
        If a value is out of range, or a flag belongs to another model.
    """
    own = [spec.name for spec in fields(preset)]
    for kind in kinds:
        for spec in fields(kind):
            if spec.name not in own and hasattr(arguments, spec.name):
                raise InputError(
                    f"--{flag_of(spec)} is not a flag of this model; drop it, or change --model"
                )
    given = {name: getattr(arguments, name) for name in own if hasattr(arguments, name)}
    return replace(preset, **given)


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Add the flags for where a model runs."""
    parser.add_argument(
        "--backend", choices=BACKENDS, default="numpy", help="array library (default: numpy)"
    )
    parser.add_argument(
        "--kernels",
        choices=CHOICES,
        default="auto",
        help="textbook operations, fused ones, or fused ones where they run (default: auto)",
    )
    parser.add_argument(
        "--threads",
        type=whole_number(1),
        help="threads of the fused kernels; the results do not depend on it (default: all cores)",
    )


@contextmanager
def machine(arguments: argparse.Namespace, say: Callable[[str], None]) -> Iterator[None]:
    """Choose the backend and run kernels on the threads that were asked for, inside the context.

    Parameters
    ----------
    arguments : argparse.Namespace
        Its `backend` becomes the name of the backend that ``auto`` selects.
    say : callable
        Prints a line of text.

    Raises
    ------
    InputError
        If the backend does not run here, or ``--threads`` has no effect.
    """
    for name, value in (("kernels", "reference"), ("backend", "cupy")):
        if arguments.threads and getattr(arguments, name) == value:
            raise InputError(f"--threads has no effect with --{name} {value}; drop one of the two")
    arguments.backend = chosen_backend(arguments.backend, say)
    with (
        kernel_threads(arguments.threads or os.cpu_count() or 1) as threads,
        announce_compilation(say),
    ):
        if arguments.threads and threads < arguments.threads:
            say(f"--threads {arguments.threads}: this machine runs {threads} at a time")
        yield
