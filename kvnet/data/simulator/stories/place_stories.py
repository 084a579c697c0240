"""Stories about where actors are: tasks 1 and 9 to 13."""

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
    MovePronoun,
    MoveTogether,
    WhereIs,
)
from kvnet.data.simulator.story_builder import RECENT, StoryBuilder
from kvnet.data.story import Story

FAMILY = ("Daniel", "John", "Mary", "Sandra")
NEIGHBOURS = ("Bill", "Fred", "Julie", "Mary")
QUESTIONS = 5
"""Number of questions per story."""


def draw_places(dice: Dice, names: tuple[str, ...], places: tuple[str, ...]) -> dict[str, str]:
    """Draw a place for every actor or object; no sentence states it.

    Parameters
    ----------
    dice : Dice
    names : tuple of str
        Actors or objects.
    places : tuple of str

    Returns
    -------
    place_of : dict of str to str
        Name to place.
    """
    return {name: dice.pick(places) for name in names}


def single_supporting_fact(dice: Dice) -> Story:
    """Generate a story of task 1: actors move; ask where one of the recent movers is."""
    builder = StoryBuilder(dice)
    place_of = draw_places(dice, FAMILY, HOUSE)
    while builder.question_count < QUESTIONS:
        for _ in range(2):
            actor = dice.pick(FAMILY)
            place_of[actor] = dice.pick_other(HOUSE, place_of[actor])
            builder.add(Move(actor, place_of[actor]))
        builder.ask(WhereIs(dice.pick(builder.recent_events()).actor))
    return builder.story()


def simple_negation(dice: Dice) -> Story:
    """Generate a story of task 9: some sentences only state where an actor is not."""
    builder = StoryBuilder(dice)
    place_of = draw_places(dice, FAMILY, HOUSE)
    while builder.question_count < QUESTIONS:
        for _ in range(2):
            actor, previous = _move_one(dice, place_of, HOUSE)
            form = dice.pick((Move, Move, IsIn, IsNotIn))
            builder.add(form(actor, previous if form is IsNotIn else place_of[actor]))
        actor = dice.pick(builder.recent_events()).actor
        location = builder.world.locations[actor]
        stated = location.places[0]
        # If only a place where the actor is not is known, the question names that place.
        place = _place_or_other(dice, stated, HOUSE) if location.present else stated
        builder.ask(IsThere(actor, place))
    return builder.story()


def indefinite_knowledge(dice: Dice) -> Story:
    """Generate a story of task 10: some sentences state two possible places.

    The second place is drawn independently of the first, so both may be the same.
    """
    builder = StoryBuilder(dice)
    place_of = draw_places(dice, NEIGHBOURS, TOWN)
    while builder.question_count < QUESTIONS:
        for _ in range(2):
            actor, _ = _move_one(dice, place_of, TOWN)
            form = dice.pick((Move, Move, IsIn, IsEither))
            if form is IsEither:
                both = [place_of[actor], dice.pick(TOWN)]
                dice.shuffle(both)
                builder.add(IsEither(actor, *both))
            else:
                builder.add(form(actor, place_of[actor]))
        actor = dice.pick(builder.recent_events()).actor
        # Slightly more than half, as in the released files.
        place = _place_or_other(dice, place_of[actor], TOWN, probability=0.53)
        builder.ask(IsThere(actor, place))
    return builder.story()


def _move_one(dice: Dice, place_of: dict[str, str], places: tuple[str, ...]) -> tuple[str, str]:
    """Move a random actor to another place; return the actor and the previous place."""
    actor = dice.pick(tuple(place_of))
    previous = place_of[actor]
    place_of[actor] = dice.pick_other(places, previous)
    return actor, previous


def _place_or_other(
    dice: Dice, place: str, places: tuple[str, ...], probability: float = 0.5
) -> str:
    """Return `place` with the given probability, else another of `places`."""
    return place if dice.chance(probability) else dice.pick_other(places, place)


def basic_coreference(dice: Dice) -> Story:
    """Generate a story of task 11: an actor moves, then "she" or "he" moves."""
    builder = StoryBuilder(dice)
    place_of = draw_places(dice, FAMILY, HOUSE)
    movers = []
    while builder.question_count < QUESTIONS:
        actor, _ = _move_one(dice, place_of, HOUSE)
        builder.add(Move(actor, place_of[actor]))
        place_of[actor] = dice.pick_other(HOUSE, place_of[actor])
        builder.add(MovePronoun("she" if actor in WOMEN else "he", place_of[actor]))
        movers += [actor, actor]
        builder.ask(WhereIs(dice.pick(movers[-RECENT:])))
    return builder.story()


def conjunction(dice: Dice) -> Story:
    """Generate a story of task 12: two actors move in every sentence."""
    builder = StoryBuilder(dice)
    place_of = draw_places(dice, FAMILY, HOUSE)
    movers = []
    while builder.question_count < QUESTIONS:
        for _ in range(2):
            first, second = _move_pair(dice, place_of)
            builder.add(MoveTogether(first, second, place_of[first]))
            movers += [first, second]
        # The last five movers, counted one by one, are those of the last two and a half sentences.
        builder.ask(WhereIs(dice.pick(movers[-RECENT:])))
    return builder.story()


def compound_coreference(dice: Dice) -> Story:
    """Generate a story of task 13: two actors move, then "they" move."""
    builder = StoryBuilder(dice)
    place_of = draw_places(dice, FAMILY, HOUSE)
    movers = []
    while builder.question_count < QUESTIONS:
        first, second = _move_pair(dice, place_of)
        builder.add(MoveTogether(first, second, place_of[first]))
        place_of[first] = place_of[second] = dice.pick_other(HOUSE, place_of[first])
        builder.add(MovePronoun("they", place_of[first]))
        movers += [first, second] * 2
        builder.ask(WhereIs(dice.pick(movers[-RECENT:])))
    return builder.story()


def _move_pair(dice: Dice, place_of: dict[str, str]) -> tuple[str, str]:
    """Move two random actors to a place where neither of them is; return the two.

    Both actors and the place are redrawn together until they fit, so actors who are in one place
    move together more often.
    """
    while True:
        first = dice.pick(FAMILY)
        second = dice.pick_other(FAMILY, first)
        place = dice.pick(HOUSE)
        if place not in (place_of[first], place_of[second]):
            place_of[first] = place_of[second] = place
            return first, second
