"""Events and queries about the kinds of animals, and what animals of a kind have in common."""

from typing import NamedTuple

from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Fact, Solution, World, certain

PLURALS = {"cat": "cats", "mouse": "mice", "sheep": "sheep", "wolf": "wolves"}
SINGULARS = {plural: kind for kind, plural in PLURALS.items()}
KINDS = ("frog", "lion", "rhino", "swan")
COLOURS = ("gray", "green", "white", "yellow")


class IsA(NamedTuple):
    """An animal is of a kind."""

    name: str
    kind: str

    wordings = (Wording("{name} is a {kind}."),)

    def apply(self, world: World, line: int) -> None:
        """Store the animal's kind."""
        world.kinds[self.name.lower()] = Fact(self.kind, line)


class AreAfraid(NamedTuple):
    """One kind is afraid of another; both fields are plurals."""

    kind: str
    feared: str

    wordings = (
        Wording("{kind} are afraid of {feared}.", choices={"kind": SINGULARS, "feared": SINGULARS}),
    )

    def apply(self, world: World, line: int) -> None:
        """Store what the kind is afraid of."""
        world.fears[SINGULARS[self.kind]] = Fact(SINGULARS[self.feared], line)


class HasColour(NamedTuple):
    """An animal has a colour."""

    name: str
    colour: str

    wordings = (Wording("{name} is {colour}.", choices={"colour": COLOURS}),)

    def apply(self, world: World, line: int) -> None:
        """Store the animal's colour."""
        world.colours[self.name.lower()] = Fact(self.colour, line)


class WhatFeared(NamedTuple):
    """The question what an animal is afraid of; the answer is deduced from its kind."""

    name: str

    wordings = (Wording("What is {name} afraid of?"),)

    def solve(self, world: World) -> Solution:
        """Return the kind that the animal's kind is afraid of."""
        kind = world.kinds.get(self.name.lower())
        fear = world.fears.get(kind.word) if kind else None
        return certain(fear.word, kind.line, fear.line) if fear else UNKNOWN


class WhatColour(NamedTuple):
    """The question what colour an animal has; the answer is induced from others of its kind."""

    name: str

    wordings = (Wording("What color is {name}?"),)

    def solve(self, world: World) -> Solution:
        """Return the colour of another animal of the same kind, called a witness.

        The answer is that of the witness whose kind is stated last. Witnesses of other colours give
        more candidates.
        """
        asked = self.name.lower()
        kind = world.kinds.get(asked)
        witnesses = [
            name
            for name, other in world.kinds.items()
            if kind and name != asked and other.word == kind.word and name in world.colours
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
