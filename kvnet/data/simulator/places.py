"""Events and queries about where actors are."""

from typing import NamedTuple

from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Fact, Location, Solution, World, certain

HOUSE = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
TOWN = ("bedroom", "cinema", "kitchen", "office", "park", "school")
MOVED = ("journeyed", "moved", "travelled", "went", "went back")
NEXT = ("after that", "afterwards", "following that", "then")
WOMEN = ("Julie", "Mary", "Sandra")


class Move(NamedTuple):
    """An actor moves to a place."""

    actor: str
    place: str

    wordings = (Wording("{actor} {moved} to the {place}.", synonyms={"moved": MOVED}),)

    def apply(self, world: World, line: int) -> None:
        """Move the actor to the place; "she" or "he" refers to this actor from now on."""
        world.antecedents, world.antecedent_line = (self.actor,), line
        move_actors(world, (self.actor,), self.place, (line,))


class MoveTogether(NamedTuple):
    """Two actors move to a place."""

    first: str
    second: str
    place: str

    wordings = (Wording("{first} and {second} {moved} to the {place}.", synonyms={"moved": MOVED}),)

    def apply(self, world: World, line: int) -> None:
        """Move both actors to the place; "they" refers to these two from now on."""
        world.antecedents, world.antecedent_line = (self.first, self.second), line
        move_actors(world, world.antecedents, self.place, (line,))


class MovePronoun(NamedTuple):
    """The actors that a pronoun refers to move to a place."""

    pronoun: str
    place: str

    wordings = (
        Wording(
            "{next} {pronoun} {moved} to the {place}.",
            synonyms={"next": tuple(word.capitalize() for word in NEXT), "moved": MOVED},
            choices={"pronoun": ("he", "she", "they")},
        ),
    )

    def apply(self, world: World, line: int) -> None:
        """Move the antecedents to the place; the line that names them is supporting too."""
        move_actors(world, world.antecedents, self.place, (world.antecedent_line, line))


class IsIn(NamedTuple):
    """An actor is in a place."""

    actor: str
    place: str

    wordings = (Wording("{actor} is in the {place}."),)

    def apply(self, world: World, line: int) -> None:
        """Put the actor in the place."""
        move_actors(world, (self.actor,), self.place, (line,))


class IsNotIn(NamedTuple):
    """An actor is not, or no longer, in a place."""

    actor: str
    place: str

    wordings = (
        Wording("{actor} is {not} in the {place}.", synonyms={"not": ("no longer", "not")}),
    )

    def apply(self, world: World, line: int) -> None:
        """Record that the actor is in any other place."""
        world.locations[self.actor] = Location((self.place,), False, (line,))


class IsEither(NamedTuple):
    """An actor is in one of two places; both may be the same place."""

    actor: str
    first: str
    second: str

    wordings = (Wording("{actor} is either in the {first} or the {second}."),)

    def apply(self, world: World, line: int) -> None:
        """Record that the actor is in one of the two places."""
        world.locations[self.actor] = Location((self.first, self.second), True, (line,))


def move_actors(
    world: World, actors: tuple[str, ...], place: str, supporting: tuple[int, ...]
) -> None:
    """Move actors and all objects that they carry to a place.

    Parameters
    ----------
    world : World
    actors : tuple of str
    place : str
    supporting : tuple of int
        IDs of the lines that state the move. The last is the move itself.
    """
    location = Location((place,), True, supporting)
    for actor in actors:
        world.locations[actor] = location
    for thing, holder in world.holders.items():
        if holder in actors:
            world.trails[thing].append(Fact(place, supporting[-1]))


class WhereIs(NamedTuple):
    """The question where an actor is."""

    actor: str

    wordings = (Wording("Where is {actor}? "),)

    def solve(self, world: World) -> Solution:
        """Return the actor's place."""
        location = world.locations.get(self.actor)
        if location is None or not location.present:
            return UNKNOWN
        candidates = tuple(dict.fromkeys(location.places))
        return Solution(location.places[0], location.supporting, candidates)


class IsThere(NamedTuple):
    """The question whether an actor is in a place."""

    actor: str
    place: str

    wordings = (Wording("Is {actor} in the {place}? "),)

    def solve(self, world: World) -> Solution:
        """Return yes, no, or maybe if the story does not decide between them.

        "Either in the school or the school" gives maybe on purpose: the released files contain such
        lines, and their answer is maybe.
        """
        location = world.locations.get(self.actor)
        if location is None:
            return UNKNOWN
        stated = self.place in location.places
        if location.present:
            answer = ("yes" if len(location.places) == 1 else "maybe") if stated else "no"
        else:
            answer = "no" if stated else "maybe"
        return certain(answer, *location.supporting)
