"""Stories about who holds which object and where it is: tasks 2, 3, 5, 6, 7 and 8."""

from typing import Any

from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.places import HOUSE, IsThere, Move
from kvnet.data.simulator.possessions import (
    THINGS,
    Drop,
    Give,
    HowMany,
    Take,
    WhatCarried,
    WhatGiven,
    WhereIsThing,
    WhereWasThing,
    WhoGave,
    WhoGaveTo,
    WhoReceived,
    WhoReceivedFrom,
)
from kvnet.data.simulator.stories.place_stories import FAMILY, QUESTIONS, draw_places
from kvnet.data.simulator.story_builder import StoryBuilder
from kvnet.data.simulator.wording import Wording
from kvnet.data.story import Story

GIVERS = ("Mary", "Fred", "Bill", "Jeff")
CARRIERS = ("John", "Mary", "Sandra", "Daniel")


class House:
    """The actual state of the house, stated in the story or not, which determines the next event.

    Parameters
    ----------
    dice : Dice
    actors : tuple of str
        The order matters for `Give`: of several actors in the room, the first receives.
    event_types : tuple of type
        The events that can happen: `Move`, `Take`, `Drop` and optionally `Give`.
    """

    def __init__(
        self, dice: Dice, actors: tuple[str, ...], event_types: tuple = (Move, Take, Drop)
    ):
        self.dice = dice
        self.actors = actors
        self.attempts = [(event_type, actor) for event_type in event_types for actor in actors]
        self.place_of = draw_places(dice, actors, HOUSE)
        self.lying = draw_places(dice, THINGS, HOUSE)
        self.carried = {actor: [] for actor in actors}
        self.last_given = None
        """The object that was given last; None after an actor has taken an object."""

    def next_event(self) -> Any:
        """Draw the next event and apply it to the house.

        Event type and actor are redrawn together until the event is possible, so actors with more
        possible events act more often.

        Returns
        -------
        event : Move, Take, Drop or Give
        """
        while True:
            event_type, actor = self.dice.pick(self.attempts)
            if event_type is Move:
                event = self._move(actor)
            elif event_type is Take:
                event = self._take(actor)
            elif event_type is Drop:
                event = self._drop(actor)
            else:
                event = self._give()
            if event is not None:
                return event

    def _move(self, actor):
        place = self.dice.pick(HOUSE)
        if place == self.place_of[actor]:
            return None
        self.place_of[actor] = place
        return Move(actor, place)

    def _take(self, actor):
        here = self.place_of[actor]
        things = [thing for thing, place in self.lying.items() if place == here]
        if not things:
            return None
        thing = self.dice.pick(things)
        del self.lying[thing]
        self.carried[actor].append(thing)
        self.last_given = None
        return Take(actor, thing)

    def _drop(self, actor):
        if not self.carried[actor]:
            return None
        thing = self.dice.pick(self.carried[actor])
        self.carried[actor].remove(thing)
        self.lying[thing] = self.place_of[actor]
        return Drop(actor, thing)

    def _give(self):
        """Draw a gift from any holder with company; the object given last takes precedence.

        That object usually returns to its giver, as in the released files.
        """
        gifts = [
            (actor, thing)
            for actor in self.actors
            if self.carried[actor] and self._company(actor)
            for thing in self.carried[actor]
        ]
        if not gifts:
            return None
        preferred = [gift for gift in gifts if gift[1] == self.last_given]
        actor, thing = self.dice.pick(preferred or gifts)
        receiver = self._company(actor)
        self.carried[actor].remove(thing)
        self.carried[receiver].append(thing)
        self.last_given = thing
        return Give(actor, thing, receiver)

    def _company(self, actor):
        """Return the first other actor in the same place, or None."""
        here = self.place_of[actor]
        others = (other for other in self.actors if other != actor)
        return next((other for other in others if self.place_of[other] == here), None)


def two_supporting_facts(dice: Dice) -> Story:
    """Generate a story of task 2: ask where an object is that was recently taken or dropped."""
    builder = StoryBuilder(dice)
    house = House(dice, FAMILY)
    while builder.question_count < QUESTIONS:
        _add_two_events(builder, house)
        queries = [WhereIsThing(event.thing) for event in _recent_events(builder, Take, Drop)]
        queries = [query for query in queries if _can_ask_place(builder, query.thing)]
        if queries:
            builder.ask(dice.pick(queries))
    return builder.story()


def _can_ask_place(builder: StoryBuilder, thing: str) -> bool:
    """Return whether an object was carried to a place since it was taken, or lies in a known place.

    Objects that were taken but not yet moved are not asked about.
    """
    world = builder.world
    return bool(world.trails[thing] if world.holders[thing] else world.drop_locations[thing])


def three_supporting_facts(dice: Dice) -> Story:
    """Generate a story of task 3: ask where an object was before being in a place."""
    builder = StoryBuilder(dice)
    house = House(dice, FAMILY)
    while builder.question_count < QUESTIONS:
        _add_two_events(builder, house, take=Take.wordings[1])
        trails = builder.world.trails
        things = [event.thing for event in _recent_events(builder, Take, Drop)]
        things = [thing for thing in things if len(trails[thing]) > 1]
        if things:
            thing = dice.pick(things)
            query = None
            # No place precedes the trail's first, so redraw unless the object returned there.
            while query is None or query.solve(builder.world).answer is None:
                query = WhereWasThing(thing, dice.pick(trails[thing]).word)
            builder.ask(query)
    return builder.story()


def three_argument_relations(dice: Dice) -> Story:
    """Generate a story of task 5: ask about giver, object or receiver of a recent gift."""
    builder = StoryBuilder(dice)
    house = House(dice, GIVERS, (Move, Take, Drop, Give))
    while builder.question_count < QUESTIONS:
        _add_two_events(builder, house)
        recent_gifts = _recent_events(builder, Give)
        if recent_gifts:
            thing = dice.pick(recent_gifts).thing
            # The last gift of this object, which may be later than the gift drawn.
            gift = next(gift for gift in reversed(recent_gifts) if gift.thing == thing)
            queries = (
                WhatGiven(gift.actor, gift.receiver),
                WhatGiven(gift.actor, gift.receiver),  # twice as often as the others
                WhoGaveTo(thing, gift.receiver),
                WhoReceivedFrom(gift.actor, thing),
                WhoReceived(thing),
                WhoGave(thing),
            )
            builder.ask(dice.pick(queries))
    return builder.story()


def yes_no_questions(dice: Dice) -> Story:
    """Generate a story of task 6: ask whether a recent mover is in a place; half are yes."""
    builder = StoryBuilder(dice)
    house = House(dice, FAMILY)
    while builder.question_count < QUESTIONS:
        _add_two_events(builder, house)
        moves = _recent_events(builder, Move)
        if moves:
            actor = dice.pick(moves).actor
            here = house.place_of[actor]
            place = here if dice.chance(0.5) else dice.pick_other(HOUSE, here)
            builder.ask(IsThere(actor, place))
    return builder.story()


def counting(dice: Dice) -> Story:
    """Generate a story of task 7: ask how many objects the actor of a recent transfer carries."""
    return _ask_carried(dice, House(dice, CARRIERS, (Move, Take, Drop, Give)), HowMany)


def lists_and_sets(dice: Dice) -> Story:
    """Generate a story of task 8: ask which objects the actor of a recent transfer carries."""
    return _ask_carried(dice, House(dice, FAMILY), WhatCarried)


def _ask_carried(dice: Dice, house: House, query: type) -> Story:
    builder = StoryBuilder(dice)
    while builder.question_count < QUESTIONS:
        _add_two_events(builder, house)
        transfers = _recent_events(builder, Take, Drop, Give)
        if transfers:
            builder.ask(query(dice.pick(transfers).actor))
    return builder.story()


def _add_two_events(builder: StoryBuilder, house: House, take: Wording = Take.wordings[0]) -> None:
    for _ in range(2):
        event = house.next_event()
        builder.add(event, take if isinstance(event, Take) else None)


def _recent_events(builder: StoryBuilder, *event_types: type) -> list:
    return [event for event in builder.recent_events() if isinstance(event, event_types)]
