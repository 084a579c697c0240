"""An argument parser with one-line errors and flags spelled with hyphens or underscores."""

import argparse
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from kvnet.errors import InputError


class ArgumentParser(argparse.ArgumentParser):
    """`argparse.ArgumentParser` that reports a mistake in one line and exits with code 2."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, **options)

    def parse_args(self, args: Sequence[str], namespace=None) -> argparse.Namespace:
        """Parse the arguments; ``--some_flag`` means ``--some-flag``."""
        namespace, unknown = self.parse_known_args([_hyphenated(a) for a in args], namespace)
        if unknown:
            flag = unknown[0].partition("=")[0]
            known = self._option_string_actions
            near = [name for name in known if name.startswith(flag)]
            near = near or difflib.get_close_matches(flag, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; --help lists the flags"
            self.error(f"{flag} is not a flag of this command{hint}")
        return namespace

    def error(self, message: str) -> NoReturn:
        """Print the message in one line and exit with code 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")


def _hyphenated(argument):
    if not argument.startswith("--"):
        return argument
    flag, equals, value = argument.partition("=")
    return flag.replace("_", "-") + equals + value


def whole_number(lowest: int, highest: int | None = None):
    """Return an argument type: a whole number in a range."""

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


def seed_list(text: str) -> list[int]:
    """Return different seeds separated by commas: an argument type."""
    seeds = [whole_number(0, 2**32 - 1)(part) for part in text.split(",")]
    if len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"{text!r} names a seed twice")
    return seeds


def check_writable(flag: str, name: str | None) -> None:
    """Refuse an output file that cannot be written, before hours of training.

    Raises
    ------
    InputError
        If its folder is missing or it is a folder itself.
    """
    if name is None:
        return
    path = Path(name)
    if path.is_dir():
        raise InputError(f"{flag}: {path} is a folder; give a file name")
    if not path.parent.is_dir():
        raise InputError(f"{flag}: the folder {path.parent} does not exist; make it first")
