"""An argument parser with one-line errors, and flags spelled with hyphen or underscore."""

import argparse
import difflib
import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import NoReturn

from kvnet.backend import BACKENDS
from kvnet.errors import InputError
from kvnet.kernels import CHOICES
from kvnet.hyper_parameter import CheckedSettings


class ArgumentParser(argparse.ArgumentParser):
    """`argparse.ArgumentParser` whose mistakes end in one line and exit code 2."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, **options)

    def parse_args(self, args: Sequence[str], namespace=None) -> argparse.Namespace:
        """Parse, reading ``--some_flag`` as ``--some-flag``."""
        namespace, unknown = self.parse_known_args([_hyphenated(a) for a in args], namespace)
        if unknown:
            flag = unknown[0].partition("=")[0]
            known = self._option_string_actions
            near = [name for name in known if name.startswith(flag)]
            near = near or difflib.get_close_matches(flag, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; --help lists the flags"
            self.error(f"{flag} is no flag of this command{hint}")
        return namespace

    def error(self, message: str) -> NoReturn:
        """Print the message as one line and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")


def _hyphenated(argument):
    if not argument.startswith("--"):
        return argument
    flag, equals, value = argument.partition("=")
    return flag.replace("_", "-") + equals + value


def add_settings(
    parser: argparse.ArgumentParser, title: str, *kinds: type[CheckedSettings]
) -> None:
    """Add a flag for every hyper-parameter of some kinds of settings; none has a default here."""
    group, added = parser.add_argument_group(title), set()
    for spec in (spec for kind in kinds for spec in fields(kind)):
        if spec.name in added:
            continue
        added.add(spec.name)
        flag = "--" + spec.name.replace("_", "-")
        help = spec.metadata["help"]
        if spec.type is not bool:
            help += f" ({spec.metadata['takes']})"
        options = {"default": argparse.SUPPRESS, "help": help}
        if spec.type is bool:
            group.add_argument(flag, action="store_true", **options)
        else:
            group.add_argument(flag, type=spec.type, metavar=spec.type.__name__.upper(), **options)


def settings_from(
    arguments: argparse.Namespace, preset: CheckedSettings, *others: type[CheckedSettings]
) -> CheckedSettings:
    """Return the preset with the flags that were given in place of its values.

    Parameters
    ----------
    arguments : argparse.Namespace
    preset : CheckedSettings
    *others : type
        Kinds of settings that the command takes flags of too, for other models.

    Raises
    ------
    InputError
        If a value is out of range, or a flag is another model's.
    """
    own = [spec.name for spec in fields(preset)]
    for kind in others:
        for spec in fields(kind):
            if spec.name not in own and hasattr(arguments, spec.name):
                flag = "--" + spec.name.replace("_", "-")
                raise InputError(f"{flag} is no flag of this model; drop it, or change --model")
    given = {name: getattr(arguments, name) for name in own if hasattr(arguments, name)}
    return replace(preset, **given)


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where and how a model runs."""
    parser.add_argument("--backend", choices=BACKENDS, default="numpy", help="numpy if not given")
    parser.add_argument(
        "--kernels",
        choices=CHOICES,
        default="auto",
        help="textbook operations or fused ones; auto takes the fused where they run",
    )
    parser.add_argument(
        "--threads",
        type=whole_number(1),
        default=os.cpu_count() or 1,
        help="for the fused kernels; any number gives the same result (all cores)",
    )


def whole_number(lowest: int, highest: int | None = None):
    """Make an argument type: a whole number in a range."""

    def parse(text: str) -> int:
        takes = f"a whole number from {lowest}" + ("" if highest is None else f" to {highest}")
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or number < lowest or (highest is not None and number > highest):
            raise argparse.ArgumentTypeError(f"{text!r} is out of range; it takes {takes}")
        return number

    return parse


def check_writable(flag: str, name: str | None) -> None:
    """Refuse a folder, and a file without one, before hours of training go into it.

    Raises
    ------
    InputError
        If its folder is missing or it is itself a folder.
    """
    if name is None:
        return
    path = Path(name)
    if path.is_dir():
        raise InputError(f"{flag}: {path} is a folder; give a file name")
    if not path.parent.is_dir():
        raise InputError(f"{flag}: the folder {path.parent} does not exist; make it first")
