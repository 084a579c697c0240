"""Tasks 4, 17 and 19: what lies on which side of what."""

from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.places import HOUSE
from kvnet.data.simulator.relations import (
    COMPASS,
    SHAPES,
    SIDES,
    HowToGo,
    IsBeside,
    IsItBeside,
    IsOf,
    WhatIsItOf,
    WhatIsOf,
    opposite,
)
from kvnet.data.simulator.telling import Telling
from kvnet.data.story import Story

Step = tuple[int, int]
Edge = tuple[str, Step, str]
"""From a node, by a step, to another."""

STEPS = tuple(COMPASS.values())
DIRECTIONS = {step: direction for direction, step in COMPASS.items()}
SIDE_NAMES = {step: side for side, step in SIDES.items()}


def in_walking_order(dice: Dice, edges: list[Edge]) -> list[Edge]:
    """List every edge once, from one of its ends, as chance comes by.

    A node is drawn, then one of its edges, until all have been: ends with few edges come early and
    stand first more often than not.

    Parameters
    ----------
    dice : Dice
    edges : list of (node, step, node)

    Returns
    -------
    walked : list of (node, step, node)
    """
    doors = {}
    for number, (start, step, goal) in enumerate(edges):
        doors.setdefault(start, []).append((number, (start, step, goal)))
        doors.setdefault(goal, []).append((number, (goal, opposite(step), start)))
    nodes = tuple(doors)
    walked = {}
    while len(walked) < len(edges):
        number, edge = dice.pick(doors[dice.pick(nodes)])
        walked.setdefault(number, edge)
    return list(walked.values())


def two_argument_relations(dice: Dice) -> Story:
    """Task 4: three places lie in a row; asked is what lies next to one of them."""
    telling = Telling(dice)
    west, middle, east = dice.sample(HOUSE, 3)
    step = dice.pick(STEPS)
    for start, way, goal in in_walking_order(dice, [(west, step, middle), (middle, step, east)]):
        telling.say(IsOf(start, DIRECTIONS[opposite(way)], goal))
    fact = dice.pick(telling.said)
    backwards = DIRECTIONS[opposite(COMPASS[fact.direction])]
    telling.ask(
        WhatIsOf(fact.direction, fact.reference)
        if dice.happens(0.5)
        else WhatIsItOf(fact.reference, backwards)
    )
    return telling.story()


def positional_reasoning(dice: Dice) -> Story:
    """Task 17: two sentences relate three shapes; asked is how the two lie that none relates."""
    telling = Telling(dice)
    first, middle, last = dice.sample(SHAPES, 3)
    to_first = dice.pick(STEPS)
    to_last = dice.pick_other(STEPS, to_first)
    for start, way, goal in in_walking_order(
        dice, [(middle, to_first, first), (middle, to_last, last)]
    ):
        telling.say(IsBeside(goal, SIDE_NAMES[way], start))
    for _ in range(8):
        subject, reference = dice.sample((first, last), 2)
        telling.ask(dice.pick(_queries_answered(telling, subject, reference, dice.happens(0.5))))
    return telling.story()


def _queries_answered(telling: Telling, subject: str, reference: str, yes: bool) -> list:
    """List the sides about which the answer is yes, or those about which it is no."""
    queries = [IsItBeside(subject, side, reference) for side in SIDES]
    answer = "yes" if yes else "no"
    return [query for query in queries if query.solve(telling.world).answer == answer]


def path_finding(dice: Dice) -> Story:
    """Task 19: a walk over three places, with the other three somewhere beside them.

    Where two of those end up on one spot, so be it: the released files have that too.
    """
    telling = Telling(dice)
    start, middle, goal, *others = dice.sample(HOUSE, len(HOUSE))
    first = dice.pick(STEPS)
    second = dice.pick_other(STEPS, opposite(first))
    edges = [(start, first, middle), (middle, second, goal)]
    taken = {(start, first), (middle, opposite(first)), (middle, second), (goal, opposite(second))}
    free = [
        (place, step)
        for place in (start, middle, goal)
        for step in STEPS
        if (place, step) not in taken
    ]
    edges += [
        (place, step, other)
        for (place, step), other in zip(dice.sample(free, len(others)), others, strict=True)
    ]
    for place, step, other in in_walking_order(dice, edges):
        telling.say(IsOf(place, DIRECTIONS[opposite(step)], other))
    telling.ask(HowToGo(start, goal))
    return telling.story()
