"""Hyper-parameters: dataclass fields with a range, and the check of a set of them."""

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Any

from kvnet.errors import InputError


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


def at_least_one(default, help: str, flag: str | None = None):
    """Return a field for a whole number from 1."""
    return hyper_parameter(default, "a whole number from 1", lambda n: n >= 1, help, flag)


def positive(default, help: str, flag: str | None = None):
    """Return a field for a number above 0."""
    return hyper_parameter(default, "a number above 0", lambda x: 0 < x < float("inf"), help, flag)


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
            kinds = (int, float) if spec.type is float else spec.type
            right_kind = isinstance(value, kinds) and isinstance(value, bool) == (spec.type is bool)
            if not right_kind or not spec.metadata["good"](value):
                raise InputError(
                    f"{name_of(spec)}={value!r} is out of range; it takes {spec.metadata['takes']}"
                )

    @classmethod
    def name(cls, field_name: str) -> str:
        """Return a field's name for messages, with its flag if that differs."""
        return name_of(next(spec for spec in fields(cls) if spec.name == field_name))


def name_of(spec: Field) -> str:
    """Return a field's name for messages, with its flag if that differs: ``hops (--nhop)``."""
    flag = spec.metadata["flag"]
    return f"{spec.name} (--{flag.replace('_', '-')})" if flag else spec.name
