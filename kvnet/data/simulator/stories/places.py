"""Tasks 1 and 9 to 13: who is where."""

from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.places import (
    HOUSE,
    TOWN,
    WOMEN,
    IsEither,
    IsIn,
    IsNotIn,
    IsThere,
    Move,
    MoveOn,
    MoveTogether,
    WhereIs,
)
from kvnet.data.simulator.telling import RECENT, Telling
from kvnet.data.story import Story

FAMILY = ("Daniel", "John", "Mary", "Sandra")
NEIGHBOURS = ("Bill", "Fred", "Julie", "Mary")
QUESTIONS = 5


def scattered(dice: Dice, actors: tuple[str, ...], places: tuple[str, ...]) -> dict[str, str]:
    """Put every actor somewhere, untold.

    Parameters
    ----------
    dice : Dice
    actors, places : tuple of str

    Returns
    -------
    where : dict
        Actor to place.
    """
    return {actor: dice.pick(places) for actor in actors}


def single_supporting_fact(dice: Dice) -> Story:
    """Task 1: everybody walks about; asked is where one of those is who did of late."""
    telling = Telling(dice)
    where = scattered(dice, FAMILY, HOUSE)
    while telling.questions < QUESTIONS:
        for _ in range(2):
            actor = dice.pick(FAMILY)
            where[actor] = dice.pick_other(HOUSE, where[actor])
            telling.say(Move(actor, where[actor]))
        telling.ask(WhereIs(dice.pick(telling.recent()).actor))
    return telling.story()


def simple_negation(dice: Dice) -> Story:
    """Task 9: some sentences only say where somebody is not."""
    telling = Telling(dice)
    where = scattered(dice, FAMILY, HOUSE)
    while telling.questions < QUESTIONS:
        for _ in range(2):
            actor, left = _leaves(dice, where, HOUSE)
            form = dice.pick((Move, Move, IsIn, IsNotIn))
            telling.say(form(actor, left if form is IsNotIn else where[actor]))
        actor = dice.pick(telling.recent()).actor
        stay = telling.world.stays[actor]
        # Of somebody who has left a place, nothing can be asked but that place.
        told = stay.places[0]
        telling.ask(IsThere(actor, _here_or_not(dice, told, HOUSE) if stay.present else told))
    return telling.story()


def indefinite_knowledge(dice: Dice) -> Story:
    """Task 10: some sentences leave the choice of two places.

    The second place is drawn without a look at the first, so it may be the same.
    """
    telling = Telling(dice)
    where = scattered(dice, NEIGHBOURS, TOWN)
    while telling.questions < QUESTIONS:
        for _ in range(2):
            actor, _ = _leaves(dice, where, TOWN)
            form = dice.pick((Move, Move, IsIn, IsEither))
            if form is IsEither:
                choice = [where[actor], dice.pick(TOWN)]
                dice.shuffle(choice)
                telling.say(IsEither(actor, *choice))
            else:
                telling.say(form(actor, where[actor]))
        actor = dice.pick(telling.recent()).actor
        # Slightly more than half the time, as the released files have it.
        telling.ask(IsThere(actor, _here_or_not(dice, where[actor], TOWN, here=0.53)))
    return telling.story()


def _leaves(dice: Dice, where: dict[str, str], places: tuple[str, ...]) -> tuple[str, str]:
    """Let somebody change places; return who it is and which place they left."""
    actor = dice.pick(tuple(where))
    left = where[actor]
    where[actor] = dice.pick_other(places, left)
    return actor, left


def _here_or_not(dice: Dice, place: str, places: tuple[str, ...], here: float = 0.5) -> str:
    return place if dice.happens(here) else dice.pick_other(places, place)


def basic_coreference(dice: Dice) -> Story:
    """Task 11: somebody moves, then "she" or "he" moves on."""
    telling = Telling(dice)
    where = scattered(dice, FAMILY, HOUSE)
    movers = []
    while telling.questions < QUESTIONS:
        actor, _ = _leaves(dice, where, HOUSE)
        telling.say(Move(actor, where[actor]))
        where[actor] = dice.pick_other(HOUSE, where[actor])
        telling.say(MoveOn("she" if actor in WOMEN else "he", where[actor]))
        movers += [actor, actor]
        telling.ask(WhereIs(dice.pick(movers[-RECENT:])))
    return telling.story()


def conjunction(dice: Dice) -> Story:
    """Task 12: two move at a time."""
    telling = Telling(dice)
    where = scattered(dice, FAMILY, HOUSE)
    movers = []
    while telling.questions < QUESTIONS:
        for _ in range(2):
            first, second = _pair_leaves(dice, where)
            telling.say(MoveTogether(first, second, where[first]))
            movers += [first, second]
        # Recent is what the last five moves of a single actor are: two sentences and a half.
        telling.ask(WhereIs(dice.pick(movers[-RECENT:])))
    return telling.story()


def compound_coreference(dice: Dice) -> Story:
    """Task 13: two move, then "they" move on."""
    telling = Telling(dice)
    where = scattered(dice, FAMILY, HOUSE)
    movers = []
    while telling.questions < QUESTIONS:
        first, second = _pair_leaves(dice, where)
        telling.say(MoveTogether(first, second, where[first]))
        where[first] = where[second] = dice.pick_other(HOUSE, where[first])
        telling.say(MoveOn("they", where[first]))
        movers += [first, second] * 2
        telling.ask(WhereIs(dice.pick(movers[-RECENT:])))
    return telling.story()


def _pair_leaves(dice: Dice, where: dict[str, str]) -> tuple[str, str]:
    """Let two go to a place where neither is.

    Both and the place are drawn together, so those who are together go together more often.
    """
    while True:
        first = dice.pick(FAMILY)
        second = dice.pick_other(FAMILY, first)
        place = dice.pick(HOUSE)
        if place not in (where[first], where[second]):
            where[first] = where[second] = place
            return first, second
