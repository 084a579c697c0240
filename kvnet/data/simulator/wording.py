"""Sentence and question forms, each written down once: the same form writes and reads."""

import re
from collections.abc import Mapping, Sequence
from string import Formatter
from typing import NamedTuple

from kvnet.data.simulator.dice import Dice


class Wording:
    """One form of a sentence or question.

    Parameters
    ----------
    template : str
        The text with a ``{field}`` for every field of what it says (an event or a query) and a
        ``{name}`` for every word that is free to vary: ``"{actor} {moved} to the {place}."``
    free : mapping of str to sequence of str, optional
        The words to draw from, by name; one listed twice comes up twice as often.
    among : mapping of str to sequence of str, optional
        The values that a field takes, where a single word would be too little or too much. Lower
        case; a sentence that starts with one has its first letter raised.
    """

    def __init__(
        self,
        template: str,
        free: Mapping[str, Sequence[str]] | None = None,
        among: Mapping[str, Sequence[str]] | None = None,
    ):
        self.free = dict(free or {})
        self.among = dict(among or {})
        parts = [(literal, name) for literal, name, _, _ in Formatter().parse(template)]
        self._slots = [(name, self.free.get(name)) for _, name in parts if name]
        self._blank = "".join(literal + ("%s" if name else "") for literal, name in parts)
        self._raise_first = parts[0][0] == "" and parts[0][1] in self.among
        self._pattern = re.compile("".join(self._pattern_of(*part) for part in parts).rstrip("\\ "))

    def _pattern_of(self, literal: str, name: str | None) -> str:
        if name is None:
            pattern = ""
        elif name in self.free:
            pattern = f"(?:{_alternatives(self.free[name])})"
        elif name in self.among:
            pattern = f"(?P<{name}>(?i:{_alternatives(self.among[name])}))"
        else:
            pattern = rf"(?P<{name}>\w+)"
        return re.escape(literal) + pattern

    def write(self, says: NamedTuple, dice: Dice) -> str:
        """Put what is to be said into words.

        Parameters
        ----------
        says : NamedTuple
            The event or query; it has the fields of the template.
        dice : Dice
            Draws the free words.

        Returns
        -------
        text : str
        """
        words = [dice.pick(free) if free else getattr(says, name) for name, free in self._slots]
        text = self._blank % tuple(words)
        return text[0].upper() + text[1:] if self._raise_first else text

    def read(self, text: str) -> dict[str, str] | None:
        """Find what a text says.

        Parameters
        ----------
        text : str

        Returns
        -------
        fields : dict of str to str, or None
            None if the text does not have this form.
        """
        match = self._pattern.fullmatch(text.strip())
        if match is None:
            return None
        return {
            name: value.lower() if name in self.among else value
            for name, value in match.groupdict().items()
        }


def _alternatives(words: Sequence[str]) -> str:
    # The longest first: "went back" before "went".
    return "|".join(
        sorted({re.escape(word) for word in words}, key=lambda word: (-len(word), word))
    )
