"""Stories about animals and their kinds: tasks 15 and 16."""

from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.kinds import (
    COLOURS,
    KINDS,
    PLURALS,
    AreAfraid,
    HasColour,
    IsA,
    WhatColour,
    WhatFeared,
)
from kvnet.data.simulator.story_builder import StoryBuilder
from kvnet.data.story import Story

FEARFUL_ANIMALS = ("Emily", "Gertrude", "Jessica", "Winona")
FEARFUL_KINDS = tuple(PLURALS)
COLOURED_ANIMALS = ("Bernhard", "Brian", "Greg", "Julius", "Lily")
WITNESS_COUNTS = (1,) * 89 + (3,) * 10 + (4,)
"""Numbers of other animals of the asked animal's kind, in 100 stories; never 0 and never 2."""


def basic_deduction(dice: Dice) -> Story:
    """Generate a story of task 15: four kinds, each afraid of another, and four animals.

    A complete fact is drawn at random. It is added to the story if it is new and, for an animal, if
    the story already states what the animal's kind is afraid of.
    """
    builder = StoryBuilder(dice)
    world = builder.world
    while len(world.fears) + len(world.kinds) < len(FEARFUL_KINDS) + len(FEARFUL_ANIMALS):
        kind = dice.pick(FEARFUL_KINDS)
        if dice.chance(0.5):
            if kind not in world.fears:
                feared = dice.pick_other(FEARFUL_KINDS, kind)
                builder.add(AreAfraid(PLURALS[kind], PLURALS[feared]))
        else:
            name = dice.pick(FEARFUL_ANIMALS)
            if kind in world.fears and name.lower() not in world.kinds:
                builder.add(IsA(name, kind))
    for _ in range(4):
        builder.ask(WhatFeared(dice.pick(FEARFUL_ANIMALS).lower()))
    return builder.story()


def basic_induction(dice: Dice) -> Story:
    """Generate a story of task 16: five animals, four colours; the fifth colour is to be induced.

    The colour of a kind is redrawn whenever the story introduces another animal of the kind, so
    animals of one kind may differ in colour.
    """
    builder = StoryBuilder(dice)
    order = _draw_name_order(dice)
    asked = next(name for name in COLOURED_ANIMALS if order.count(name) == 1)
    kinds = _draw_kinds(dice, asked)
    colours = {}
    introduced = set()
    for name in order:
        kind = kinds[name]
        if name not in introduced:
            introduced.add(name)
            colours[kind] = dice.pick(COLOURS)
            builder.add(IsA(name, kind))
        else:
            builder.add(HasColour(name, colours[kind]))
    builder.ask(WhatColour(asked))
    return builder.story()


def _draw_name_order(dice: Dice) -> list[str]:
    """Return the animal of each sentence.

    An animal's first sentence states its kind, its second its colour. One animal has no second.
    """
    order = []
    while len(order) < 2 * len(COLOURED_ANIMALS) - 1:
        name = dice.pick(COLOURED_ANIMALS)
        if order.count(name) == int(dice.chance(0.5)):
            order.append(name)
    return order


def _draw_kinds(dice: Dice, asked: str) -> dict[str, str]:
    """Return a kind for every animal; only the witnesses share the kind of the asked animal."""
    others = [name for name in COLOURED_ANIMALS if name != asked]
    dice.shuffle(others)
    witness_count = dice.pick(WITNESS_COUNTS)
    kind = dice.pick(KINDS)
    kinds = {asked: kind}
    for position, name in enumerate(others):
        kinds[name] = kind if position < witness_count else dice.pick_other(KINDS, kind)
    return kinds
