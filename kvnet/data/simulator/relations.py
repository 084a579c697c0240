"""Events and queries about which place or shape lies on which side of another."""

from typing import NamedTuple

from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Relation, Solution, World, certain

COMPASS = {"north": (0, 1), "east": (1, 0), "south": (0, -1), "west": (-1, 0)}
"""Direction to step (right, up)."""
SIDES = {
    "above": (0, 1),
    "to the right of": (1, 0),
    "below": (0, -1),
    "to the left of": (-1, 0),
}
"""Side to step (right, up)."""
SHAPES = (
    "blue square",
    "pink rectangle",
    "red sphere",
    "red square",
    "triangle",
    "yellow square",
)
LETTERS = {step: direction[0] for direction, step in COMPASS.items()}
"""Step to the letter of its direction."""


class LiesInDirection(NamedTuple):
    """A place lies in a compass direction from another."""

    subject: str
    direction: str
    reference: str

    wordings = (
        Wording("The {subject} is {direction} of the {reference}.", choices={"direction": COMPASS}),
    )

    def apply(self, world: World, line: int) -> None:
        """Store the relation."""
        world.relations.append(
            Relation(line, self.subject, COMPASS[self.direction], self.reference)
        )


class LiesOnSide(NamedTuple):
    """A shape lies on one side of another."""

    subject: str
    side: str
    reference: str

    wordings = (
        Wording(
            "The {subject} is {side} the {reference}.",
            choices={"subject": SHAPES, "side": SIDES, "reference": SHAPES},
        ),
    )

    def apply(self, world: World, line: int) -> None:
        """Store the relation."""
        world.relations.append(Relation(line, self.subject, SIDES[self.side], self.reference))


def opposite(step: tuple[int, int]) -> tuple[int, int]:
    """Return the step in the opposite direction.

    Parameters
    ----------
    step : (int, int)

    Returns
    -------
    step : (int, int)
    """
    return -step[0], -step[1]


def shortest_path(world: World, start: str, goal: str) -> list[tuple[tuple[int, int], int]] | None:
    """Return the shortest path along the stated relations.

    Parameters
    ----------
    world : World
    start, goal : str

    Returns
    -------
    path : list of (step, line), or None
        None if no relations connect `start` and `goal`.
    """
    neighbours = {}
    for line, subject, step, reference in world.relations:
        neighbours.setdefault(reference, []).append((subject, step, line))
        neighbours.setdefault(subject, []).append((reference, opposite(step), line))
    paths = {start: []}
    frontier = [start]
    while frontier and goal not in paths:
        reached = []
        for node in frontier:
            for neighbour, step, line in neighbours.get(node, ()):
                if neighbour not in paths:
                    paths[neighbour] = [*paths[node], (step, line)]
                    reached.append(neighbour)
        frontier = reached
    return paths.get(goal)


class WhichSubject(NamedTuple):
    """The question what lies in a direction from a place."""

    direction: str
    reference: str

    wordings = (Wording("What is {direction} of the {reference}?", choices={"direction": COMPASS}),)

    def solve(self, world: World) -> Solution:
        """Return the neighbour in that direction."""
        return _neighbour(world, self.reference, COMPASS[self.direction])


class WhichReference(NamedTuple):
    """The question from which other place a place lies in a direction."""

    subject: str
    direction: str

    wordings = (Wording("What is the {subject} {direction} of?", choices={"direction": COMPASS}),)

    def solve(self, world: World) -> Solution:
        """Return the neighbour in the opposite direction."""
        return _neighbour(world, self.subject, opposite(COMPASS[self.direction]))


def _neighbour(world: World, place: str, step: tuple[int, int]) -> Solution:
    for line, subject, stated_step, reference in world.relations:
        if (reference, stated_step) == (place, step):
            return certain(subject, line)
        if (subject, opposite(stated_step)) == (place, step):
            return certain(reference, line)
    return UNKNOWN


class DoesLieOnSide(NamedTuple):
    """The question whether a shape lies on one side of another.

    The stories ask it only about two shapes that no sentence relates directly.
    """

    subject: str
    side: str
    reference: str

    wordings = (
        Wording(
            "Is the {subject} {side} the {reference}?",
            choices={"subject": SHAPES, "side": SIDES, "reference": SHAPES},
        ),
    )

    def solve(self, world: World) -> Solution:
        """Add the steps from one shape to the other; every relation is a step of length one."""
        path = shortest_path(world, self.subject, self.reference)
        if path is None:
            return UNKNOWN
        right, up = (sum(step[axis] for step, _ in path) for axis in (0, 1))
        side = SIDES[self.side]
        # The path leads from subject to reference, the side from reference to subject: hence minus.
        on_side = -(right * side[0] + up * side[1]) > 0
        return certain("yes" if on_side else "no", *(line for _, line in path))


class HowToGo(NamedTuple):
    """The question how to go from one place to another."""

    start: str
    goal: str

    wordings = (Wording("How do you go from the {start} to the {goal}?"),)

    def solve(self, world: World) -> Solution:
        """Return the directions of the shortest path, for example ``n,e``."""
        path = shortest_path(world, self.start, self.goal)
        if not path:
            return UNKNOWN
        return certain(",".join(LETTERS[step] for step, _ in path), *(line for _, line in path))
