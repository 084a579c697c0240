"""What lies on which side of what: what can be said of it and asked about it."""

from typing import NamedTuple

from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Relation, Solution, World, certain

COMPASS = {"north": (0, 1), "east": (1, 0), "south": (0, -1), "west": (-1, 0)}
SIDES = {
    "above": (0, 1),
    "to the right of": (1, 0),
    "below": (0, -1),
    "to the left of": (-1, 0),
}
SHAPES = (
    "blue square",
    "pink rectangle",
    "red sphere",
    "red square",
    "triangle",
    "yellow square",
)
LETTERS = {step: direction[0] for direction, step in COMPASS.items()}


class IsOf(NamedTuple):
    """A place lies in a direction of the compass from another."""

    subject: str
    direction: str
    reference: str

    wordings = (
        Wording("The {subject} is {direction} of the {reference}.", among={"direction": COMPASS}),
    )

    def happen(self, world: World, line: int) -> None:
        """Put the place on the map."""
        world.relations.append(
            Relation(line, self.subject, COMPASS[self.direction], self.reference)
        )


class IsBeside(NamedTuple):
    """A shape lies on a side of another."""

    subject: str
    side: str
    reference: str

    wordings = (
        Wording(
            "The {subject} is {side} the {reference}.",
            among={"subject": SHAPES, "side": SIDES, "reference": SHAPES},
        ),
    )

    def happen(self, world: World, line: int) -> None:
        """Put the shape on the map."""
        world.relations.append(Relation(line, self.subject, SIDES[self.side], self.reference))


def opposite(step: tuple[int, int]) -> tuple[int, int]:
    """Return the step back.

    Parameters
    ----------
    step : (int, int)

    Returns
    -------
    step : (int, int)
    """
    return -step[0], -step[1]


def walk(world: World, start: str, goal: str) -> list[tuple[tuple[int, int], int]] | None:
    """Find the shortest walk along relations that the story states.

    Parameters
    ----------
    world : World
    start, goal : str

    Returns
    -------
    steps : list of (step, line), or None
        None if no relations connect the two.
    """
    neighbours = {}
    for line, subject, step, reference in world.relations:
        neighbours.setdefault(reference, []).append((subject, step, line))
        neighbours.setdefault(subject, []).append((reference, opposite(step), line))
    walks = {start: []}
    frontier = [start]
    while frontier and goal not in walks:
        reached = []
        for place in frontier:
            for neighbour, step, line in neighbours.get(place, ()):
                if neighbour not in walks:
                    walks[neighbour] = [*walks[place], (step, line)]
                    reached.append(neighbour)
        frontier = reached
    return walks.get(goal)


class WhatIsOf(NamedTuple):
    """What lies in a direction from a place."""

    direction: str
    reference: str

    wordings = (Wording("What is {direction} of the {reference}?", among={"direction": COMPASS}),)

    def solve(self, world: World) -> Solution:
        """Name the neighbour on that side."""
        return _neighbour(world, self.reference, COMPASS[self.direction])


class WhatIsItOf(NamedTuple):
    """Of what a place lies in a direction."""

    subject: str
    direction: str

    wordings = (Wording("What is the {subject} {direction} of?", among={"direction": COMPASS}),)

    def solve(self, world: World) -> Solution:
        """Name the neighbour on the other side."""
        return _neighbour(world, self.subject, opposite(COMPASS[self.direction]))


def _neighbour(world: World, place: str, step: tuple[int, int]) -> Solution:
    for line, subject, way, reference in world.relations:
        if (reference, way) == (place, step):
            return certain(subject, line)
        if (subject, opposite(way)) == (place, step):
            return certain(reference, line)
    return UNKNOWN


class IsItBeside(NamedTuple):
    """Whether a shape lies on a side of another that no sentence relates it to."""

    subject: str
    side: str
    reference: str

    wordings = (
        Wording(
            "Is the {subject} {side} the {reference}?",
            among={"subject": SHAPES, "side": SIDES, "reference": SHAPES},
        ),
    )

    def solve(self, world: World) -> Solution:
        """Add up the steps from one to the other; every relation is a step of one."""
        steps = walk(world, self.subject, self.reference)
        if steps is None:
            return UNKNOWN
        right, up = (sum(step[axis] for step, _ in steps) for axis in (0, 1))
        side = SIDES[self.side]
        # The walk leads from the subject to the reference, the question looks back along it.
        beside = -(right * side[0] + up * side[1]) > 0
        return certain("yes" if beside else "no", *(line for _, line in steps))


class HowToGo(NamedTuple):
    """How to go from a place to another."""

    start: str
    goal: str

    wordings = (Wording("How do you go from the {start} to the {goal}?"),)

    def solve(self, world: World) -> Solution:
        """List the directions of the shortest walk: ``n,e``."""
        steps = walk(world, self.start, self.goal)
        if not steps:
            return UNKNOWN
        return certain(",".join(LETTERS[step] for step, _ in steps), *(line for _, line in steps))
