"""Events and queries about why actors do things."""

from typing import NamedTuple

from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Fact, Solution, World, certain


class Remedy(NamedTuple):
    """The place that an actor with a motive goes to, and the object that the actor gets there."""

    place: str
    thing: str


REMEDIES = {
    "bored": Remedy("garden", "football"),
    "hungry": Remedy("kitchen", "apple"),
    "thirsty": Remedy("kitchen", "milk"),
    "tired": Remedy("bedroom", "pajamas"),
}
"""Motive to remedy."""


class Feels(NamedTuple):
    """An actor has a motive."""

    actor: str
    motive: str

    wordings = (Wording("{actor} is {motive}.", choices={"motive": REMEDIES}),)

    def apply(self, world: World, line: int) -> None:
        """Store the actor's motive."""
        # Questions spell the actor in lower case.
        world.motives[self.actor.lower()] = Fact(self.motive, line)


class WhereWillGo(NamedTuple):
    """The question where an actor will go."""

    actor: str

    wordings = (Wording("Where will {actor} go?"),)

    def solve(self, world: World) -> Solution:
        """Return the place of the remedy for the actor's motive."""
        motive = world.motives.get(self.actor.lower())
        return certain(REMEDIES[motive.word].place, motive.line) if motive else UNKNOWN


class WhyWent(NamedTuple):
    """The question why an actor went to a place."""

    actor: str
    place: str

    wordings = (Wording("Why did {actor} go to the {place}?"),)

    def solve(self, world: World) -> Solution:
        """Return the actor's motive."""
        return _motive_of(world, self.actor)


class WhyGot(NamedTuple):
    """The question why an actor got an object."""

    actor: str
    thing: str

    wordings = (Wording("Why did {actor} get the {thing}?"),)

    def solve(self, world: World) -> Solution:
        """Return the actor's motive."""
        return _motive_of(world, self.actor)


def _motive_of(world: World, actor: str) -> Solution:
    motive = world.motives.get(actor.lower())
    return certain(motive.word, motive.line) if motive else UNKNOWN
