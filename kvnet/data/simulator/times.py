"""Who was where at which time of day: what can be said of it and asked about it."""

from itertools import pairwise
from typing import NamedTuple

from kvnet.data.simulator.places import MOVED
from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Noted, Solution, World

TIMES = ("yesterday", "this morning", "this afternoon", "this evening")


class MoveAt(NamedTuple):
    """Somebody moved at a time of day; the story need not tell its times in order."""

    actor: str
    place: str
    time: str

    wordings = tuple(
        Wording(template, free={"moved": MOVED}, among={"time": TIMES})
        for template in (
            "{actor} {moved} to the {place} {time}.",
            "{time} {actor} {moved} to the {place}.",
        )
    )

    def happen(self, world: World, line: int) -> None:
        """Note the place in the actor's diary."""
        diary = world.diaries.setdefault(self.actor, {})
        diary[TIMES.index(self.time)] = Noted(self.place, line)


class WhereWas(NamedTuple):
    """Where somebody was before another place."""

    actor: str
    place: str

    wordings = (Wording("Where was {actor} before the {place}? "),)

    def solve(self, world: World) -> Solution:
        """Name the place before the actor's last visit there; earlier visits give candidates."""
        diary = world.diaries.get(self.actor, {})
        visits = [diary[time] for time in sorted(diary)]
        pairs = [(before, there) for before, there in pairwise(visits) if there.word == self.place]
        if not pairs:
            return UNKNOWN
        before, there = pairs[-1]
        candidates = dict.fromkeys(earlier.word for earlier, _ in reversed(pairs))
        return Solution(before.word, (there.line, before.line), tuple(candidates))
