"""Events and queries about where actors were at which time of day."""

from itertools import pairwise
from typing import NamedTuple

from kvnet.data.simulator.places import MOVED
from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Fact, Solution, World

TIMES = ("yesterday", "this morning", "this afternoon", "this evening")


class MoveAt(NamedTuple):
    """An actor moved to a place at a time of day; sentences need not be in order of time."""

    actor: str
    place: str
    time: str

    wordings = tuple(
        Wording(template, synonyms={"moved": MOVED}, choices={"time": TIMES})
        for template in (
            "{actor} {moved} to the {place} {time}.",
            "{time} {actor} {moved} to the {place}.",
        )
    )

    def apply(self, world: World, line: int) -> None:
        """Store the place as the actor's visit at that time."""
        visits = world.visits.setdefault(self.actor, {})
        visits[TIMES.index(self.time)] = Fact(self.place, line)


class WhereWas(NamedTuple):
    """The question where an actor was before being in a place."""

    actor: str
    place: str

    wordings = (Wording("Where was {actor} before the {place}? "),)

    def solve(self, world: World) -> Solution:
        """Return the place before the last visit there; earlier visits give more candidates."""
        visits_by_time = world.visits.get(self.actor, {})
        visits = [visits_by_time[time] for time in sorted(visits_by_time)]
        pairs = [(before, visit) for before, visit in pairwise(visits) if visit.word == self.place]
        if not pairs:
            return UNKNOWN
        before, visit = pairs[-1]
        candidates = dict.fromkeys(earlier.word for earlier, _ in reversed(pairs))
        return Solution(before.word, (visit.line, before.line), tuple(candidates))
