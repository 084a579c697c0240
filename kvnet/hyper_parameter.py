"""Hyper-parameters: dataclass fields with a range, and the check of a set of them."""

import numbers
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Any

import numpy

from kvnet.errors import InputError

MOST_HOPS = 1000
"""Published models have up to seven."""
LONGEST_SHOWN = 60  # characters of a value in a message


def hyper_parameter(
    default, takes: str, good: Callable[[Any], bool], help: str, flag: str | None = None
):
    """Return a dataclass field with its range and its description.

    Parameters
    ----------
    default : object
        `dataclasses.MISSING` for a required field.
    takes : str
        The range, in words.
    good : callable
        Returns whether a value is in range.
    help : str
        The description for ``--help``.
    flag : str, optional
        The published name, which is its command-line flag. By default the field's own name.

    Returns
    -------
    field : dataclasses.Field
    """
    metadata = {"takes": takes, "good": good, "help": help, "flag": flag}
    return field(default=default, metadata=metadata)


def at_least_one(default, help: str, flag: str | None = None, most: int = 2**31 - 1):
    """Return a field for a whole number from 1; row indices and sizes are 32-bit numbers."""
    takes = f"a whole number from 1 to {most:,}" if most < 10_000 else "a whole number from 1"
    return hyper_parameter(default, takes, lambda n: 1 <= n <= most, help, flag)


def positive(default, help: str, flag: str | None = None):
    """Return a field for a number above 0."""
    takes = "a number above 0, below 1e37"  # float32 ends at 3.4e38
    return hyper_parameter(default, takes, lambda x: 0 < x < 1e37, help, flag)


def one_of(default, choices: tuple[str, ...], help: str):
    """Return a field for one of several words."""
    return hyper_parameter(default, " or ".join(choices), choices.__contains__, help)


def true_or_false(default: bool, help: str):
    """Return a field for a truth value."""
    return hyper_parameter(default, "true or false", lambda _: True, help)


def _plain(value, kind):
    """Return a value, such as ``numpy.int64(3)``, as Python's own type, or None for another."""
    if kind is bool or isinstance(value, bool | numpy.bool_):
        return bool(value) if kind is bool and isinstance(value, bool | numpy.bool_) else None
    if isinstance(value, numbers.Integral):
        value = int(value)
        return value if kind is int or (kind is float and abs(value) < 2**63) else None
    if isinstance(value, numbers.Real) and kind is float:
        return float(value)
    return str(value) if isinstance(value, str) and kind is str else None


def _shown(value):
    """Return a value as text, cut if it is long."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of more digits than Python prints
        return "a number of thousands of digits"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def flag_of(spec: Field) -> str:
    """Return the command-line name of a field, without hyphens in front."""
    return (spec.metadata["flag"] or spec.name).replace("_", "-")


@dataclass(frozen=True)
class HyperParameters:
    """A set of hyper-parameters; construction fails if one is out of range.

    Raises
    ------
    InputError
        Naming the field, its value and its range.
    """

    def __post_init__(self):
        for spec in fields(self):
            given = getattr(self, spec.name)
            value = _plain(given, spec.type)
            if value is None or not spec.metadata["good"](value):
                raise InputError(
                    f"{name_of(spec)}={_shown(given)} is out of range; it takes "
                    f"{spec.metadata['takes']}"
                )
            object.__setattr__(self, spec.name, value)

    @classmethod
    def name(cls, field_name: str) -> str:
        """Return a field's name for messages, with its flag if that differs."""
        return name_of(next(spec for spec in fields(cls) if spec.name == field_name))


def name_of(spec: Field) -> str:
    """Return a field's name for messages, with its flag if that differs: ``hops (--nhop)``."""
    flag = spec.metadata["flag"]
    return f"{spec.name} (--{flag.replace('_', '-')})" if flag else spec.name
