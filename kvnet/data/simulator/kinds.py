"""Which kinds animals are of, and what kinds have in common: what can be said and asked of it."""

from typing import NamedTuple

from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Noted, Solution, World, certain

PLURALS = {"cat": "cats", "mouse": "mice", "sheep": "sheep", "wolf": "wolves"}
SINGULARS = {plural: kind for kind, plural in PLURALS.items()}
KINDS = ("frog", "lion", "rhino", "swan")
COLOURS = ("gray", "green", "white", "yellow")


class IsA(NamedTuple):
    """An animal is of a kind."""

    name: str
    kind: str

    wordings = (Wording("{name} is a {kind}."),)

    def happen(self, world: World, line: int) -> None:
        """Note the animal's kind."""
        world.kinds[self.name.lower()] = Noted(self.kind, line)


class AreAfraid(NamedTuple):
    """A kind is afraid of another; both in the plural."""

    kind: str
    feared: str

    wordings = (
        Wording("{kind} are afraid of {feared}.", among={"kind": SINGULARS, "feared": SINGULARS}),
    )

    def happen(self, world: World, line: int) -> None:
        """Note the kind's fear."""
        world.fears[SINGULARS[self.kind]] = Noted(SINGULARS[self.feared], line)


class HasColour(NamedTuple):
    """An animal has a colour."""

    name: str
    colour: str

    wordings = (Wording("{name} is {colour}.", among={"colour": COLOURS}),)

    def happen(self, world: World, line: int) -> None:
        """Note the animal's colour."""
        world.colours[self.name.lower()] = Noted(self.colour, line)


class WhatFeared(NamedTuple):
    """What an animal is afraid of; deduced from what its kind is afraid of."""

    name: str

    wordings = (Wording("What is {name} afraid of?"),)

    def solve(self, world: World) -> Solution:
        """Name the kind that the animal's kind is afraid of."""
        kind = world.kinds.get(self.name.lower())
        fear = world.fears.get(kind.word) if kind else None
        return certain(fear.word, kind.line, fear.line) if fear else UNKNOWN


class WhatColour(NamedTuple):
    """What colour an animal has; induced from others of its kind."""

    name: str

    wordings = (Wording("What color is {name}?"),)

    def solve(self, world: World) -> Solution:
        """Name the colour of the witness whose kind was told last; other witnesses may disagree."""
        asked = self.name.lower()
        kind = world.kinds.get(asked)
        witnesses = [
            name
            for name, told in world.kinds.items()
            if kind and name != asked and told.word == kind.word and name in world.colours
        ]
        if not witnesses:
            return UNKNOWN
        witnesses.reverse()
        colours = [world.colours[name] for name in witnesses]
        return Solution(
            colours[0].word,
            (kind.line, world.kinds[witnesses[0]].line, colours[0].line),
            tuple(dict.fromkeys(colour.word for colour in colours)),
        )
