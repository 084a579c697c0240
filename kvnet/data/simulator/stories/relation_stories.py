"""Stories about which place or shape lies on which side of another: tasks 4, 17 and 19."""

from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.places import HOUSE
from kvnet.data.simulator.relations import (
    COMPASS,
    SHAPES,
    SIDES,
    DoesLieOnSide,
    HowToGo,
    LiesInDirection,
    LiesOnSide,
    WhichReference,
    WhichSubject,
    opposite,
)
from kvnet.data.simulator.story_builder import StoryBuilder
from kvnet.data.story import Story

Step = tuple[int, int]
Edge = tuple[str, Step, str]
"""(start, step, goal): the step leads from node `start` to node `goal`."""

STEPS = tuple(COMPASS.values())
DIRECTIONS = {step: direction for direction, step in COMPASS.items()}
SIDE_NAMES = {step: side for side, step in SIDES.items()}


def edges_in_random_order(dice: Dice, edges: list[Edge]) -> list[Edge]:
    """Return every edge once in random order, each in a random one of its two orientations.

    A node is drawn, then one of its edges, until all edges have been drawn. An edge starts at the
    node through which it was drawn first. So edges of nodes with few edges tend to come early and
    to start at these nodes.

    Parameters
    ----------
    dice : Dice
    edges : list of (node, step, node)

    Returns
    -------
    ordered : list of (node, step, node)
    """
    edges_of_node = {}
    for index, (start, step, goal) in enumerate(edges):
        edges_of_node.setdefault(start, []).append((index, (start, step, goal)))
        edges_of_node.setdefault(goal, []).append((index, (goal, opposite(step), start)))
    nodes = tuple(edges_of_node)
    ordered = {}
    while len(ordered) < len(edges):
        index, edge = dice.pick(edges_of_node[dice.pick(nodes)])
        ordered.setdefault(index, edge)
    return list(ordered.values())


def two_argument_relations(dice: Dice) -> Story:
    """Generate a story of task 4: three places in a row; ask what lies next to one of them."""
    builder = StoryBuilder(dice)
    first, middle, last = dice.sample(HOUSE, 3)
    step = dice.pick(STEPS)
    for start, edge_step, goal in edges_in_random_order(
        dice, [(first, step, middle), (middle, step, last)]
    ):
        builder.add(LiesInDirection(start, DIRECTIONS[opposite(edge_step)], goal))
    fact = dice.pick(builder.events)
    opposite_direction = DIRECTIONS[opposite(COMPASS[fact.direction])]
    builder.ask(
        WhichSubject(fact.direction, fact.reference)
        if dice.chance(0.5)
        else WhichReference(fact.reference, opposite_direction)
    )
    return builder.story()


def positional_reasoning(dice: Dice) -> Story:
    """Generate a story of task 17: two sentences relate three shapes in a chain.

    The questions are about the two shapes at the ends of the chain.
    """
    builder = StoryBuilder(dice)
    first, middle, last = dice.sample(SHAPES, 3)
    to_first = dice.pick(STEPS)
    to_last = dice.pick_other(STEPS, to_first)
    for start, edge_step, goal in edges_in_random_order(
        dice, [(middle, to_first, first), (middle, to_last, last)]
    ):
        builder.add(LiesOnSide(goal, SIDE_NAMES[edge_step], start))
    for _ in range(8):
        subject, reference = dice.sample((first, last), 2)
        builder.ask(dice.pick(_queries_with_answer(builder, subject, reference, dice.chance(0.5))))
    return builder.story()


def _queries_with_answer(
    builder: StoryBuilder, subject: str, reference: str, yes: bool
) -> list[DoesLieOnSide]:
    """Return the queries about all sides whose answer is yes, or those whose answer is no."""
    queries = [DoesLieOnSide(subject, side, reference) for side in SIDES]
    answer = "yes" if yes else "no"
    return [query for query in queries if query.solve(builder.world).answer == answer]


def path_finding(dice: Dice) -> Story:
    """Generate a story of task 19: a path over three places, and three more places next to them.

    Two of the additional places may lie at the same position, as in the released files.
    """
    builder = StoryBuilder(dice)
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
    for place, step, other in edges_in_random_order(dice, edges):
        builder.add(LiesInDirection(place, DIRECTIONS[opposite(step)], other))
    builder.ask(HowToGo(start, goal))
    return builder.story()
