"""Why people do things: what can be said of it and asked about it."""

from typing import NamedTuple

from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Noted, Solution, World, certain


class Remedy(NamedTuple):
    """Where somebody goes and what they get when a motive moves them."""

    place: str
    thing: str


REMEDIES = {
    "bored": Remedy("garden", "football"),
    "hungry": Remedy("kitchen", "apple"),
    "thirsty": Remedy("kitchen", "milk"),
    "tired": Remedy("bedroom", "pajamas"),
}


class Feels(NamedTuple):
    """Somebody has a motive."""

    actor: str
    motive: str

    wordings = (Wording("{actor} is {motive}.", among={"motive": REMEDIES}),)

    def happen(self, world: World, line: int) -> None:
        """Note the motive; questions write the actor in lower case."""
        world.motives[self.actor.lower()] = Noted(self.motive, line)


class WhereWillGo(NamedTuple):
    """Where somebody will go."""

    actor: str

    wordings = (Wording("Where will {actor} go?"),)

    def solve(self, world: World) -> Solution:
        """Name the place that remedies the actor's motive."""
        motive = world.motives.get(self.actor.lower())
        return certain(REMEDIES[motive.word].place, motive.line) if motive else UNKNOWN


class WhyWent(NamedTuple):
    """Why somebody went to a place."""

    actor: str
    place: str

    wordings = (Wording("Why did {actor} go to the {place}?"),)

    def solve(self, world: World) -> Solution:
        """Name the actor's motive."""
        return _why(world, self.actor)


class WhyGot(NamedTuple):
    """Why somebody got an object."""

    actor: str
    thing: str

    wordings = (Wording("Why did {actor} get the {thing}?"),)

    def solve(self, world: World) -> Solution:
        """Name the actor's motive."""
        return _why(world, self.actor)


def _why(world: World, actor: str) -> Solution:
    motive = world.motives.get(actor.lower())
    return certain(motive.word, motive.line) if motive else UNKNOWN
