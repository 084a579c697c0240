"""Sentence and question forms. One definition serves both to render and to parse text."""

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
        The text, with a ``{field}`` for every field of the event or query and a ``{name}`` for
        every word drawn at random: ``"{actor} {moved} to the {place}."``
    synonyms : mapping of str to sequence of str, optional
        Name to the words to draw from. A word that is listed twice is drawn twice as often.
    choices : mapping of str to sequence of str, optional
        Field to its possible values, in lower case. A field without choices matches any single
        word, so give the choices if a value can have several words or if a single word is too
        general. If the template starts with such a field, the first letter is capitalised.
    """

    def __init__(
        self,
        template: str,
        synonyms: Mapping[str, Sequence[str]] | None = None,
        choices: Mapping[str, Sequence[str]] | None = None,
    ):
        self.synonyms = dict(synonyms or {})
        self.choices = dict(choices or {})
        parts = [(literal, name) for literal, name, _, _ in Formatter().parse(template)]
        self._placeholders = [(name, self.synonyms.get(name)) for _, name in parts if name]
        self._format = "".join(literal + ("%s" if name else "") for literal, name in parts)
        self._capitalise = parts[0][0] == "" and parts[0][1] in self.choices
        self._pattern = re.compile("".join(self._pattern_of(*part) for part in parts).rstrip("\\ "))

    def _pattern_of(self, literal: str, name: str | None) -> str:
        if name is None:
            pattern = ""
        elif name in self.synonyms:
            pattern = f"(?:{_alternatives(self.synonyms[name])})"
        elif name in self.choices:
            pattern = f"(?P<{name}>(?i:{_alternatives(self.choices[name])}))"
        else:
            pattern = rf"(?P<{name}>\w+)"
        return re.escape(literal) + pattern

    def render(self, meaning: NamedTuple, dice: Dice) -> str:
        """Return the text of an event or query.

        Parameters
        ----------
        meaning : NamedTuple
            An event or query with the fields of the template.
        dice : Dice
            Draws the synonyms.

        Returns
        -------
        text : str
        """
        words = [
            dice.pick(synonyms) if synonyms else getattr(meaning, name)
            for name, synonyms in self._placeholders
        ]
        text = self._format % tuple(words)
        return text[0].upper() + text[1:] if self._capitalise else text

    def parse(self, text: str) -> dict[str, str] | None:
        """Return the fields of the event or query that a text expresses.

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
            name: value.lower() if name in self.choices else value
            for name, value in match.groupdict().items()
        }


def _alternatives(words: Sequence[str]) -> str:
    # The longest first: "went back" before "went".
    return "|".join(
        sorted({re.escape(word) for word in words}, key=lambda word: (-len(word), word))
    )
