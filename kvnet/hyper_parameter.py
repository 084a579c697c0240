"""Hyper-parameters: dataclass fields with a range, and the check of a set of them."""

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from numbers import Integral, Real
from typing import Any

import numpy

from kvnet.errors import InputError, setting

MOST_HOPS = 1000
LARGEST_INTEGER = 2**64 - 1
KINDS = {int: Integral, float: Real, bool: bool | numpy.bool_, str: str}
"""The values that a field of a type accepts; they are stored as that type."""


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


def number_of_hops(default: int, flag: str | None = None):
    """Return a field for the number of hops; each is computed in turn, so there is a limit."""
    takes, help = f"a whole number from 1 to {MOST_HOPS}", "H, reads of the memory"
    return hyper_parameter(default, takes, lambda n: 1 <= n <= MOST_HOPS, help, flag)


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
            value = getattr(self, spec.name)
            problem = _problem(spec, value)
            if problem:
                raise InputError(
                    f"{self.setting(spec.name, value)} {problem}; it takes {spec.metadata['takes']}"
                )
            object.__setattr__(self, spec.name, spec.type(value))  # a NumPy number becomes Python's

    @classmethod
    def setting(cls, field_name: str, value: object = None) -> str:
        """Return a field as its user writes it, for messages; see `kvnet.errors.setting`."""
        spec = next(spec for spec in fields(cls) if spec.name == field_name)
        return setting(field_name, value, spec.metadata["flag"])


def _problem(spec, value):
    """Return what is wrong with the value of a field, or None."""
    misplaced_bool = spec.type is not bool and isinstance(value, bool)
    if not isinstance(value, KINDS[spec.type]) or misplaced_bool:
        return f"is of type {type(value).__name__}"
    try:
        value = spec.type(value)
    except OverflowError:  # an integer that no float holds
        return "is too large"
    if not spec.metadata["good"](value):
        return "is out of range"
    return "is too large" if spec.type is int and value > LARGEST_INTEGER else None
