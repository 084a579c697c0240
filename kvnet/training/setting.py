"""A hyper-parameter with its range, and the check that every set of them goes through."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from kvnet.errors import InputError


def setting(default, takes: str, good: Callable[[Any], bool], help: str):
    """Make a dataclass field that knows what it takes and what it is for."""
    return field(default=default, metadata={"takes": takes, "good": good, "help": help})


def from_one(default, help: str):
    """Make a field that takes a whole number from 1."""
    return setting(default, "a whole number from 1", lambda n: n >= 1, help)


def positive(default, help: str):
    """Make a field that takes a number above 0."""
    return setting(default, "a number above 0", lambda x: 0 < x < float("inf"), help)


@dataclass(frozen=True)
class CheckedSettings:
    """Hyper-parameters that refuse what is out of their range.

    Raises
    ------
    InputError
        If one is out of range; the message names it, its value and what it takes.
    """

    renamed: ClassVar[dict[str, str]] = {}

    def flag(self, name: str) -> str:
        """Return the published name of what all settings have, such as ``epochs``."""
        return self.renamed.get(name, name)

    def __post_init__(self):
        for spec in fields(self):
            value = getattr(self, spec.name)
            kinds = (int, float) if spec.type is float else spec.type
            right_kind = isinstance(value, kinds) and isinstance(value, bool) == (spec.type is bool)
            if not right_kind or not spec.metadata["good"](value):
                raise InputError(
                    f"{spec.name}={value!r} is out of range; it takes {spec.metadata['takes']}"
                )
