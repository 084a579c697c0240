"""Tasks 15 and 16: animals and their kinds."""

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
from kvnet.data.simulator.telling import Telling
from kvnet.data.story import Story

TIMID = ("Emily", "Gertrude", "Jessica", "Winona")
COLOURFUL = ("Bernhard", "Brian", "Greg", "Julius", "Lily")
EATERS = tuple(PLURALS)
WITNESSES = (1,) * 89 + (3,) * 10 + (4,)
"""How many others are of the asked animal's kind, in a hundred stories: never none, never two."""


def basic_deduction(dice: Dice) -> Story:
    """Task 15: four kinds, each afraid of another, and four animals; an animal's kind comes first.

    A fact is drawn whole and told if it is new and, for an animal, if its kind has been told.
    """
    telling = Telling(dice)
    world = telling.world
    while len(world.fears) + len(world.kinds) < len(EATERS) + len(TIMID):
        kind = dice.pick(EATERS)
        if dice.happens(0.5):
            if kind not in world.fears:
                feared = dice.pick_other(EATERS, kind)
                telling.say(AreAfraid(PLURALS[kind], PLURALS[feared]))
        else:
            name = dice.pick(TIMID)
            if kind in world.fears and name.lower() not in world.kinds:
                telling.say(IsA(name, kind))
    for _ in range(4):
        telling.ask(WhatFeared(dice.pick(TIMID).lower()))
    return telling.story()


def basic_induction(dice: Dice) -> Story:
    """Task 16: five animals, of which four have a colour told; the fifth's is to be induced.

    A kind's colour is drawn anew whenever one more of it is told, so witnesses may disagree.
    """
    telling = Telling(dice)
    order = _names_in_order(dice)
    asked = next(name for name in COLOURFUL if order.count(name) == 1)
    kinds = _kinds_around(dice, asked)
    colours = {}
    told = set()
    for name in order:
        kind = kinds[name]
        if name not in told:
            told.add(name)
            colours[kind] = dice.pick(COLOURS)
            telling.say(IsA(name, kind))
        else:
            telling.say(HasColour(name, colours[kind]))
    telling.ask(WhatColour(asked))
    return telling.story()


def _names_in_order(dice: Dice) -> list[str]:
    """List the name of each sentence: the first time for its kind, the second for its colour."""
    order = []
    while len(order) < 2 * len(COLOURFUL) - 1:
        name = dice.pick(COLOURFUL)
        if order.count(name) == int(dice.happens(0.5)):
            order.append(name)
    return order


def _kinds_around(dice: Dice, asked: str) -> dict[str, str]:
    """Give every animal a kind; some witnesses share the asked animal's, nobody else does."""
    others = [name for name in COLOURFUL if name != asked]
    dice.shuffle(others)
    count = dice.pick(WITNESSES)
    kind = dice.pick(KINDS)
    kinds = {asked: kind}
    for place, name in enumerate(others):
        kinds[name] = kind if place < count else dice.pick_other(KINDS, kind)
    return kinds
