"""Events and queries about who holds which object, and where the object is."""

from typing import NamedTuple

from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Solution, Transfer, World, certain

THINGS = ("apple", "football", "milk")
TOOK = ("got", "grabbed", "picked up", "took")
DROPPED = ("discarded", "dropped", "left", "put down")
GAVE = ("gave", "handed", "passed")
OPTIONAL_THERE = (" there", "", "", "", "")
COUNTS = ("none", "one", "two", "three")


class Take(NamedTuple):
    """An actor takes an object."""

    actor: str
    thing: str

    wordings = (
        Wording("{actor} {took} the {thing} there.", synonyms={"took": TOOK}),
        Wording(
            "{actor} {took} the {thing}{there}.", synonyms={"took": TOOK, "there": OPTIONAL_THERE}
        ),
    )

    def apply(self, world: World, line: int) -> None:
        """Make the actor the object's holder and start a new trail for it."""
        world.transfers.append(Transfer(line, self.actor, self.thing, self.actor))
        world.holders[self.thing] = self.actor
        world.trails[self.thing] = []


class Drop(NamedTuple):
    """An actor drops an object."""

    actor: str
    thing: str

    wordings = (
        Wording(
            "{actor} {dropped} the {thing}{there}.",
            synonyms={"dropped": DROPPED, "there": OPTIONAL_THERE},
        ),
    )

    def apply(self, world: World, line: int) -> None:
        """Put the object where the actor is."""
        world.transfers.append(Transfer(line, self.actor, self.thing, None))
        world.holders[self.thing] = None
        world.drop_locations[self.thing] = world.locations.get(self.actor)


class Give(NamedTuple):
    """An actor gives an object to another actor."""

    actor: str
    thing: str
    receiver: str

    wordings = (Wording("{actor} {gave} the {thing} to {receiver}.", synonyms={"gave": GAVE}),)

    def apply(self, world: World, line: int) -> None:
        """Make the receiver the object's holder; the object's trail continues."""
        world.transfers.append(Transfer(line, self.actor, self.thing, self.receiver))
        world.holders[self.thing] = self.receiver
        world.trails.setdefault(self.thing, [])


def last_transfer(world: World, thing: str) -> Transfer | None:
    """Return an object's last transfer.

    Parameters
    ----------
    world : World
    thing : str

    Returns
    -------
    transfer : Transfer or None
        None if the object was never taken, dropped or given.
    """
    return next(
        (transfer for transfer in reversed(world.transfers) if transfer.thing == thing), None
    )


class WhereIsThing(NamedTuple):
    """The question where an object is."""

    thing: str

    wordings = (Wording("Where is the {thing}? "),)

    def solve(self, world: World) -> Solution:
        """Return the place of the object's holder, or the place where it was dropped."""
        transfer = last_transfer(world, self.thing)
        if transfer is None:
            return UNKNOWN
        holder = world.holders[self.thing]
        location = world.locations.get(holder) if holder else world.drop_locations[self.thing]
        if location is None or not location.present:
            return UNKNOWN
        supporting = (transfer.line, *location.supporting)
        return Solution(location.places[0], supporting, tuple(dict.fromkeys(location.places)))


class WhereWasThing(NamedTuple):
    """The question where an object was before being in a place."""

    thing: str
    place: str

    wordings = (Wording("Where was the {thing} before the {place}? "),)

    def solve(self, world: World) -> Solution:
        """Return the place that precedes the last visit to `place` on the object's trail."""
        trail = world.trails.get(self.thing, ())
        stops = [stop for stop in range(1, len(trail)) if trail[stop].word == self.place]
        if not stops:
            return UNKNOWN
        visit, before = trail[stops[-1]], trail[stops[-1] - 1]
        transfer = last_transfer(world, self.thing)
        return certain(before.word, transfer.line, visit.line, before.line)


class HowMany(NamedTuple):
    """The question how many objects an actor carries."""

    actor: str

    wordings = (Wording("How many objects is {actor} carrying? "),)

    def solve(self, world: World) -> Solution:
        """Return the number in words.

        The supporting lines are those of all transfers from or to the actor.
        """
        count = sum(holder == self.actor for holder in world.holders.values())
        answer = COUNTS[count] if count < len(COUNTS) else str(count)
        return certain(answer, *(transfer.line for transfer in _transfers_of(world, self.actor)))


class WhatCarried(NamedTuple):
    """The question which objects an actor carries."""

    actor: str

    wordings = (Wording("What is {actor} carrying? "),)

    def solve(self, world: World) -> Solution:
        """Return the objects in the order in which the actor first held them.

        The supporting lines are those of all transfers from or to the actor, grouped by object in
        the same order.
        """
        transfers = _transfers_of(world, self.actor)
        touched = dict.fromkeys(transfer.thing for transfer in transfers)
        carried = [thing for thing in touched if world.holders[thing] == self.actor]
        lines = (
            transfer.line for thing in touched for transfer in transfers if transfer.thing == thing
        )
        return certain(",".join(carried) or "nothing", *lines)


def _transfers_of(world: World, actor: str) -> list[Transfer]:
    return [
        transfer for transfer in world.transfers if actor in (transfer.actor, transfer.receiver)
    ]


class WhatGiven(NamedTuple):
    """The question what an actor gave to another."""

    actor: str
    receiver: str

    wordings = (Wording("What did {actor} give to {receiver}? "),)

    def solve(self, world: World) -> Solution:
        """Return the object of the last matching gift, see `_solve_gift`."""
        return _solve_gift(world, self, "thing")


class WhoGaveTo(NamedTuple):
    """The question who gave an object to an actor."""

    thing: str
    receiver: str

    wordings = (Wording("Who gave the {thing} to {receiver}? "),)

    def solve(self, world: World) -> Solution:
        """Return the giver of the last matching gift, see `_solve_gift`."""
        return _solve_gift(world, self, "actor")


class WhoReceivedFrom(NamedTuple):
    """The question to whom an actor gave an object."""

    actor: str
    thing: str

    wordings = (Wording("Who did {actor} give the {thing} to? "),)

    def solve(self, world: World) -> Solution:
        """Return the receiver of the last matching gift, see `_solve_gift`."""
        return _solve_gift(world, self, "receiver")


class WhoReceived(NamedTuple):
    """The question who received an object."""

    thing: str

    wordings = (Wording("Who received the {thing}? "),)

    def solve(self, world: World) -> Solution:
        """Return the receiver of the last matching gift, see `_solve_gift`."""
        return _solve_gift(world, self, "receiver")


class WhoGave(NamedTuple):
    """The question who gave an object."""

    thing: str

    wordings = (Wording("Who gave the {thing}? "),)

    def solve(self, world: World) -> Solution:
        """Return the giver of the last matching gift, see `_solve_gift`."""
        return _solve_gift(world, self, "actor")


def _solve_gift(world: World, query: NamedTuple, asked: str) -> Solution:
    """Return the field `asked` of the last matching gift.

    Gifts that are the last gift of their object take precedence. For example, Bill gave the apple
    to Fred, then the milk, and Fred handed the milk back. "What did Bill give to Fred?" then means
    the apple.
    """
    fields = query._asdict()
    gifts = [
        transfer for transfer in world.transfers if transfer.receiver not in (None, transfer.actor)
    ]
    last_gifts = {gift.thing: gift for gift in gifts}
    matches = [
        gift
        for gift in gifts
        if all(getattr(gift, name) == value for name, value in fields.items())
    ]
    if not matches:
        return UNKNOWN
    current = [gift for gift in matches if last_gifts[gift.thing] is gift]
    gift = (current or matches)[-1]
    candidates = dict.fromkeys(getattr(gift, asked) for gift in (gift, *reversed(current)))
    return Solution(getattr(gift, asked), (gift.line,), tuple(candidates))
