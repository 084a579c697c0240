"""Who has what: what can be said of it and asked about it."""

from typing import NamedTuple

from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Handling, Solution, World, certain

THINGS = ("apple", "football", "milk")
TOOK = ("got", "grabbed", "picked up", "took")
DROPPED = ("discarded", "dropped", "left", "put down")
GAVE = ("gave", "handed", "passed")
SOMETIMES_THERE = (" there", "", "", "", "")
COUNTS = ("none", "one", "two", "three")


class Take(NamedTuple):
    """Somebody picks up an object."""

    actor: str
    thing: str

    wordings = (
        Wording("{actor} {took} the {thing} there.", free={"took": TOOK}),
        Wording(
            "{actor} {took} the {thing}{there}.", free={"took": TOOK, "there": SOMETIMES_THERE}
        ),
    )

    def happen(self, world: World, line: int) -> None:
        """Hand the object to the actor and start a new trail for it."""
        world.handlings.append(Handling(line, self.actor, self.thing, self.actor))
        world.holders[self.thing] = self.actor
        world.trails[self.thing] = []


class Drop(NamedTuple):
    """Somebody puts down an object."""

    actor: str
    thing: str

    wordings = (
        Wording(
            "{actor} {dropped} the {thing}{there}.",
            free={"dropped": DROPPED, "there": SOMETIMES_THERE},
        ),
    )

    def happen(self, world: World, line: int) -> None:
        """Leave the object where the actor is."""
        world.handlings.append(Handling(line, self.actor, self.thing, None))
        world.holders[self.thing] = None
        world.resting[self.thing] = world.stays.get(self.actor)


class Give(NamedTuple):
    """Somebody hands an object to somebody else."""

    actor: str
    thing: str
    receiver: str

    wordings = (Wording("{actor} {gave} the {thing} to {receiver}.", free={"gave": GAVE}),)

    def happen(self, world: World, line: int) -> None:
        """Hand the object to the receiver; its trail goes on from there."""
        world.handlings.append(Handling(line, self.actor, self.thing, self.receiver))
        world.holders[self.thing] = self.receiver
        world.trails.setdefault(self.thing, [])


def last_handling(world: World, thing: str) -> Handling | None:
    """Return how an object last changed hands.

    Parameters
    ----------
    world : World
    thing : str

    Returns
    -------
    handling : Handling or None
        None if the story has not mentioned the object.
    """
    return next((deal for deal in reversed(world.handlings) if deal.thing == thing), None)


class WhereIsThing(NamedTuple):
    """Where an object is."""

    thing: str

    wordings = (Wording("Where is the {thing}? "),)

    def solve(self, world: World) -> Solution:
        """Name the place of its carrier, or the place where it was dropped."""
        handling = last_handling(world, self.thing)
        if handling is None:
            return UNKNOWN
        holder = world.holders[self.thing]
        stay = world.stays.get(holder) if holder else world.resting[self.thing]
        if stay is None or not stay.present:
            return UNKNOWN
        supporting = (handling.line, *stay.supporting)
        return Solution(stay.places[0], supporting, tuple(dict.fromkeys(stay.places)))


class WhereWasThing(NamedTuple):
    """Where an object was before another place."""

    thing: str
    place: str

    wordings = (Wording("Where was the {thing} before the {place}? "),)

    def solve(self, world: World) -> Solution:
        """Name the stop before its last stop there, on the trail since it was last taken."""
        trail = world.trails.get(self.thing, ())
        stops = [stop for stop in range(1, len(trail)) if trail[stop].word == self.place]
        if not stops:
            return UNKNOWN
        there, earlier = trail[stops[-1]], trail[stops[-1] - 1]
        handling = last_handling(world, self.thing)
        return certain(earlier.word, handling.line, there.line, earlier.line)


class HowMany(NamedTuple):
    """How many objects somebody carries."""

    actor: str

    wordings = (Wording("How many objects is {actor} carrying? "),)

    def solve(self, world: World) -> Solution:
        """Count them; every line in which the actor takes, drops, gives or receives supports it."""
        count = sum(holder == self.actor for holder in world.holders.values())
        answer = COUNTS[count] if count < len(COUNTS) else str(count)
        return certain(answer, *(deal.line for deal in _dealings(world, self.actor)))


class WhatCarried(NamedTuple):
    """Which objects somebody carries."""

    actor: str

    wordings = (Wording("What is {actor} carrying? "),)

    def solve(self, world: World) -> Solution:
        """List them in the order in which the actor first had them; their lines likewise."""
        dealings = _dealings(world, self.actor)
        touched = dict.fromkeys(deal.thing for deal in dealings)
        carried = [thing for thing in touched if world.holders[thing] == self.actor]
        lines = (deal.line for thing in touched for deal in dealings if deal.thing == thing)
        return certain(",".join(carried) or "nothing", *lines)


def _dealings(world: World, actor: str) -> list[Handling]:
    return [deal for deal in world.handlings if actor in (deal.actor, deal.receiver)]


class WhatGiven(NamedTuple):
    """What somebody gave to somebody."""

    actor: str
    receiver: str

    wordings = (Wording("What did {actor} give to {receiver}? "),)

    def solve(self, world: World) -> Solution:
        """Name the object of the last such gift, see `_solve_gift`."""
        return _solve_gift(world, self, "thing")


class WhoGaveTo(NamedTuple):
    """Who gave an object to somebody."""

    thing: str
    receiver: str

    wordings = (Wording("Who gave the {thing} to {receiver}? "),)

    def solve(self, world: World) -> Solution:
        """Name the giver of the last such gift, see `_solve_gift`."""
        return _solve_gift(world, self, "actor")


class WhoGotFrom(NamedTuple):
    """To whom somebody gave an object."""

    actor: str
    thing: str

    wordings = (Wording("Who did {actor} give the {thing} to? "),)

    def solve(self, world: World) -> Solution:
        """Name the receiver of the last such gift, see `_solve_gift`."""
        return _solve_gift(world, self, "receiver")


class WhoReceived(NamedTuple):
    """Who received an object."""

    thing: str

    wordings = (Wording("Who received the {thing}? "),)

    def solve(self, world: World) -> Solution:
        """Name the receiver of the last such gift, see `_solve_gift`."""
        return _solve_gift(world, self, "receiver")


class WhoGave(NamedTuple):
    """Who gave an object."""

    thing: str

    wordings = (Wording("Who gave the {thing}? "),)

    def solve(self, world: World) -> Solution:
        """Name the giver of the last such gift, see `_solve_gift`."""
        return _solve_gift(world, self, "actor")


def _solve_gift(world: World, query: NamedTuple, asked: str) -> Solution:
    """Find the last gift that fits, among gifts that are the last of their object if one is.

    Of an apple that Bill gave to Fred and of a milk that Fred handed back to Bill since, "What did
    Bill give to Fred?" means the apple.
    """
    named = query._asdict()
    gifts = [deal for deal in world.handlings if deal.receiver not in (None, deal.actor)]
    latest = {gift.thing: gift for gift in gifts}
    fits = [
        gift for gift in gifts if all(getattr(gift, name) == value for name, value in named.items())
    ]
    if not fits:
        return UNKNOWN
    standing = [gift for gift in fits if latest[gift.thing] is gift]
    gift = (standing or fits)[-1]
    candidates = dict.fromkeys(getattr(gift, asked) for gift in (gift, *reversed(standing)))
    return Solution(getattr(gift, asked), (gift.line,), tuple(candidates))
