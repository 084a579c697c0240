"""Who is where: what can be said of it and asked about it."""

from typing import NamedTuple

from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Noted, Solution, Stay, World, certain

HOUSE = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
TOWN = ("bedroom", "cinema", "kitchen", "office", "park", "school")
MOVED = ("journeyed", "moved", "travelled", "went", "went back")
NEXT = ("after that", "afterwards", "following that", "then")
WOMEN = ("Julie", "Mary", "Sandra")


class Move(NamedTuple):
    """Somebody moves."""

    actor: str
    place: str

    wordings = (Wording("{actor} {moved} to the {place}.", free={"moved": MOVED}),)

    def happen(self, world: World, line: int) -> None:
        """Take the actor there; "she" or "he" means this actor from now on."""
        world.named, world.named_line = (self.actor,), line
        arrive(world, (self.actor,), self.place, (line,))


class MoveTogether(NamedTuple):
    """Two move."""

    first: str
    second: str
    place: str

    wordings = (Wording("{first} and {second} {moved} to the {place}.", free={"moved": MOVED}),)

    def happen(self, world: World, line: int) -> None:
        """Take both there; "they" means these two from now on."""
        world.named, world.named_line = (self.first, self.second), line
        arrive(world, world.named, self.place, (line,))


class MoveOn(NamedTuple):
    """Whoever was named last moves on."""

    pronoun: str
    place: str

    wordings = (
        Wording(
            "{next} {pronoun} {moved} to the {place}.",
            free={"next": tuple(word.capitalize() for word in NEXT), "moved": MOVED},
            among={"pronoun": ("he", "she", "they")},
        ),
    )

    def happen(self, world: World, line: int) -> None:
        """Take them there; both lines are needed to know who is where."""
        arrive(world, world.named, self.place, (world.named_line, line))


class IsIn(NamedTuple):
    """Somebody is in a place."""

    actor: str
    place: str

    wordings = (Wording("{actor} is in the {place}."),)

    def happen(self, world: World, line: int) -> None:
        """Find the actor there."""
        arrive(world, (self.actor,), self.place, (line,))


class IsNotIn(NamedTuple):
    """Somebody has left a place for another."""

    actor: str
    place: str

    wordings = (Wording("{actor} is {not} in the {place}.", free={"not": ("no longer", "not")}),)

    def happen(self, world: World, line: int) -> None:
        """Forget where the actor was."""
        world.stays[self.actor] = Stay((self.place,), False, (line,))


class IsEither(NamedTuple):
    """Somebody is in one of two places, which may be one and the same."""

    actor: str
    first: str
    second: str

    wordings = (Wording("{actor} is either in the {first} or the {second}."),)

    def happen(self, world: World, line: int) -> None:
        """Find the actor in one of the two."""
        world.stays[self.actor] = Stay((self.first, self.second), True, (line,))


def arrive(world: World, actors: tuple[str, ...], place: str, supporting: tuple[int, ...]) -> None:
    """Put actors in a place, with everything that they carry.

    Parameters
    ----------
    world : World
    actors : tuple of str
    place : str
    supporting : tuple of int
        The lines that say so; the last is the move itself.
    """
    stay = Stay((place,), True, supporting)
    for actor in actors:
        world.stays[actor] = stay
    for thing, holder in world.holders.items():
        if holder in actors:
            world.trails[thing].append(Noted(place, supporting[-1]))


class WhereIs(NamedTuple):
    """Where somebody is."""

    actor: str

    wordings = (Wording("Where is {actor}? "),)

    def solve(self, world: World) -> Solution:
        """Name the place of the actor's last move."""
        stay = world.stays.get(self.actor)
        if stay is None or not stay.present:
            return UNKNOWN
        return Solution(stay.places[0], stay.supporting, tuple(dict.fromkeys(stay.places)))


class IsThere(NamedTuple):
    """Whether somebody is in a place."""

    actor: str
    place: str

    wordings = (Wording("Is {actor} in the {place}? "),)

    def solve(self, world: World) -> Solution:
        """Say yes, no or, where the story leaves it open, maybe.

        "Either in the school or the school" is no mistake of the reader's: the released files have
        such lines, and they say maybe to them.
        """
        stay = world.stays.get(self.actor)
        if stay is None:
            return UNKNOWN
        told = self.place in stay.places
        if stay.present:
            answer = ("yes" if len(stay.places) == 1 else "maybe") if told else "no"
        else:
            answer = "no" if told else "maybe"
        return certain(answer, *stay.supporting)
