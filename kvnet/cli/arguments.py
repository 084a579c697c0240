"""An argument parser with one-line errors and flags spelled with hyphens or underscores."""

import argparse
import difflib
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from kvnet.errors import InputError, one_line, shown


class ArgumentParser(argparse.ArgumentParser):
    """`argparse.ArgumentParser` that reports a mistake in one line and exits with code 2."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, **options)

    def parse_args(self, args: Sequence[str], namespace=None) -> argparse.Namespace:
        """Parse the arguments; ``--some_flag`` means ``--some-flag``.

        The attribute ``given`` of the result has the flags that were given, by their names there.
        """
        args = [_hyphenated(argument) for argument in args]
        namespace, unknown = self.parse_known_args(args, namespace)
        if unknown:
            flag = unknown[0].partition("=")[0]
            known = self._option_string_actions
            near = [name for name in known if name.startswith(flag)]
            near = near or difflib.get_close_matches(flag, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; --help lists the flags"
            self.error(f"{flag} is not a flag of this command{hint}")
        namespace.given = self._given(args)
        return namespace

    def _given(self, args):
        given = {}
        for flag in (argument.partition("=")[0] for argument in args):
            action = self._option_string_actions.get(flag)
            if action is None:
                continue
            if action.dest in given:
                self.error(f"{flag} is given twice; give it once")
            given[action.dest] = flag
        return given

    def _print_message(self, message: str, file: TextIO | None = None) -> None:
        """Print the help, the version or an error; `argparse` would lose an error of the file."""
        if message:
            (sys.stderr if file is None else file).write(message)

    def error(self, message: str) -> NoReturn:
        """Print the message in one line and exit with code 2."""
        self.exit(2, f"{self.prog}: error: {one_line(message)}\n")


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
            raise argparse.ArgumentTypeError(f"{shown(text)} is out of range; it takes {takes}")
        return number

    return parse


def seed_list(text: str) -> list[int]:
    """Return different seeds separated by commas: an argument type."""
    seeds = [whole_number(0, 2**32 - 1)(part) for part in text.split(",")]
    if len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"{shown(text)} names a seed twice")
    return seeds


def path_name(text: str) -> str:
    """Argument type: the name of a file or a folder, which need not exist.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is empty, or no file can have it.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("the name is empty; give one, or leave the flag out")
    try:
        Path(text).stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise argparse.ArgumentTypeError(f"{shown(text)}: {reason}; give another name") from None
    return text


def refuse_without_effect(arguments: argparse.Namespace, mode: str, used: Collection[str]) -> None:
    """Refuse flags that have no effect in a mode.

    Parameters
    ----------
    arguments : argparse.Namespace
        From `ArgumentParser`.
    mode : str
        The flag of the mode.
    used : collection of str
        The names of the flags that have an effect; the mode's own flag is one of them.

    Raises
    ------
    InputError
        Naming the first flag that has none.
    """
    for name, flag in arguments.given.items():
        if name not in used:
            raise InputError(f"{flag} has no effect with {mode}; drop one of the two")


def check_writable(flag: str, name: str | None) -> None:
    """Refuse an output file that cannot be written.

    Raises
    ------
    InputError
        If its folder is missing or read-only, or it is a folder or a device.
    """
    if name is None:
        return
    path = Path(name)
    if path.is_dir():
        raise InputError(f"{flag}: {path} is a folder; give a file name")
    if path.exists() and not path.is_file():
        raise InputError(f"{flag}: {path} is not a regular file; give another name")
    if not path.parent.is_dir():
        raise InputError(f"{flag}: the folder {path.parent} does not exist; make it first")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{flag}: the folder {path.parent} cannot be written; give another")


def check_outputs(
    outputs: dict[str, str | None],
    kept: dict[str, Iterable[Path]],
    replace: bool,
    may_resume: bool = True,
) -> None:
    """Refuse output files that cannot be written or must not be, before hours of training.

    Parameters
    ----------
    outputs : dict of str to (str or None)
        The files that a command writes, by their flags.
    kept : dict of str to iterable of Path
        Other paths that the command uses, by their flags.
    replace : bool
        Whether files may be replaced that exist and are not empty.
    may_resume : bool, default=True
        Whether ``--resume`` could be added to that end.

    Raises
    ------
    InputError
        If two are the same file, one exists, or one cannot be written.
    """
    flags = {path.resolve(): flag for flag, paths in kept.items() for path in paths}
    for flag, name in outputs.items():
        if name is None:
            continue
        path = Path(name)
        other = flags.setdefault(path.resolve(), flag)
        if other != flag:
            raise InputError(f"{flag} and {other} both name {path}; give another name to one")
        check_writable(flag, name)
        if path.exists() and path.stat().st_size and not replace:
            remedy = "give another name, or delete the file"
            if may_resume:
                remedy = (
                    "give another name, delete the file, or add --resume to a run that continues"
                )
            raise InputError(f"{flag}: {path} exists already; {remedy}")
