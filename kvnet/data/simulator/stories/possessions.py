"""Tasks 2, 3, 5, 6, 7 and 8: who has what, and where it is."""

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
    WhoGotFrom,
    WhoReceived,
)
from kvnet.data.simulator.stories.places import FAMILY, QUESTIONS, scattered
from kvnet.data.simulator.telling import Telling
from kvnet.data.simulator.wording import Wording
from kvnet.data.story import Story

GIVERS = ("Mary", "Fred", "Bill", "Jeff")
COUNTED = ("John", "Mary", "Sandra", "Daniel")


class House:
    """The house as it really is, told or untold, and what may happen in it next.

    Parameters
    ----------
    dice : Dice
    actors : tuple of str
        Their order matters to `Give`: the first one about receives.
    deeds : tuple
        What they do: `Move`, `Take`, `Drop` and, if they do, `Give`.
    """

    def __init__(self, dice: Dice, actors: tuple[str, ...], deeds: tuple = (Move, Take, Drop)):
        self.dice = dice
        self.actors = actors
        self.attempts = [(deed, actor) for deed in deeds for actor in actors]
        self.where = scattered(dice, actors, HOUSE)
        self.lying = scattered(dice, THINGS, HOUSE)
        self.carried = {actor: [] for actor in actors}
        self.handed = None
        """The object given last, while nobody has taken another since."""

    def next_event(self) -> Any:
        """Let something happen.

        Deed and actor are drawn together until it can be done, so actors with more to do act more.

        Returns
        -------
        event : Move, Take, Drop or Give
        """
        while True:
            deed, actor = self.dice.pick(self.attempts)
            if deed is Move:
                event = self._move(actor)
            elif deed is Take:
                event = self._take(actor)
            elif deed is Drop:
                event = self._drop(actor)
            else:
                event = self._give()
            if event is not None:
                return event

    def _move(self, actor):
        place = self.dice.pick(HOUSE)
        if place == self.where[actor]:
            return None
        self.where[actor] = place
        return Move(actor, place)

    def _take(self, actor):
        here = self.where[actor]
        things = [thing for thing, place in self.lying.items() if place == here]
        if not things:
            return None
        thing = self.dice.pick(things)
        del self.lying[thing]
        self.carried[actor].append(thing)
        self.handed = None
        return Take(actor, thing)

    def _drop(self, actor):
        if not self.carried[actor]:
            return None
        thing = self.dice.pick(self.carried[actor])
        self.carried[actor].remove(thing)
        self.lying[thing] = self.where[actor]
        return Drop(actor, thing)

    def _give(self):
        """Let any carrier in company give something; what was just handed over goes on first.

        That hands it back, more often than not: most gifts in the released files go to and fro.
        """
        gifts = [
            (actor, thing)
            for actor in self.actors
            if self.carried[actor] and self._company(actor)
            for thing in self.carried[actor]
        ]
        if not gifts:
            return None
        actor, thing = self.dice.pick([gift for gift in gifts if gift[1] == self.handed] or gifts)
        receiver = self._company(actor)
        self.carried[actor].remove(thing)
        self.carried[receiver].append(thing)
        self.handed = thing
        return Give(actor, thing, receiver)

    def _company(self, actor):
        here = self.where[actor]
        return next(
            (mate for mate in self.actors if mate != actor and self.where[mate] == here), None
        )


def two_supporting_facts(dice: Dice) -> Story:
    """Task 2: asked is where an object is that was taken or dropped of late."""
    telling = Telling(dice)
    house = House(dice, FAMILY)
    while telling.questions < QUESTIONS:
        _say_two(telling, house)
        queries = [WhereIsThing(event.thing) for event in _recent(telling, Take, Drop)]
        queries = [query for query in queries if _is_somewhere_new(telling, query.thing)]
        if queries:
            telling.ask(dice.pick(queries))
    return telling.story()


def _is_somewhere_new(telling: Telling, thing: str) -> bool:
    """Tell whether an object is carried about or lies in a known place.

    One that has not been moved since it was taken is not asked for.
    """
    world = telling.world
    return bool(world.trails[thing] if world.holders[thing] else world.resting[thing])


def three_supporting_facts(dice: Dice) -> Story:
    """Task 3: asked is where such an object was before it was somewhere else."""
    telling = Telling(dice)
    house = House(dice, FAMILY)
    while telling.questions < QUESTIONS:
        _say_two(telling, house, take=Take.wordings[1])
        trails = telling.world.trails
        things = [event.thing for event in _recent(telling, Take, Drop)]
        things = [thing for thing in things if len(trails[thing]) > 1]
        if things:
            thing = dice.pick(things)
            query = None
            # Its first stop is no place to ask about, unless it came back there.
            while query is None or query.solve(telling.world).answer is None:
                query = WhereWasThing(thing, dice.pick(trails[thing]).word)
            telling.ask(query)
    return telling.story()


def three_argument_relations(dice: Dice) -> Story:
    """Task 5: asked is who gave what to whom of late."""
    telling = Telling(dice)
    house = House(dice, GIVERS, (Move, Take, Drop, Give))
    while telling.questions < QUESTIONS:
        _say_two(telling, house)
        recent = _recent(telling, Give)
        if recent:
            thing = dice.pick(recent).thing
            # The object's last gift: it may have been handed on since.
            gift = next(gift for gift in reversed(recent) if gift.thing == thing)
            queries = (
                WhatGiven(gift.actor, gift.receiver),
                WhatGiven(gift.actor, gift.receiver),  # twice as the others
                WhoGaveTo(thing, gift.receiver),
                WhoGotFrom(gift.actor, thing),
                WhoReceived(thing),
                WhoGave(thing),
            )
            telling.ask(dice.pick(queries))
    return telling.story()


def yes_no_questions(dice: Dice) -> Story:
    """Task 6: asked is whether somebody is in a place who moved of late; half the time yes."""
    telling = Telling(dice)
    house = House(dice, FAMILY)
    while telling.questions < QUESTIONS:
        _say_two(telling, house)
        moves = _recent(telling, Move)
        if moves:
            actor = dice.pick(moves).actor
            here = house.where[actor]
            place = here if dice.happens(0.5) else dice.pick_other(HOUSE, here)
            telling.ask(IsThere(actor, place))
    return telling.story()


def counting(dice: Dice) -> Story:
    """Task 7: asked is how many objects somebody carries who handled one of late."""
    return _what_they_carry(dice, House(dice, COUNTED, (Move, Take, Drop, Give)), HowMany)


def lists_and_sets(dice: Dice) -> Story:
    """Task 8: asked is which objects somebody carries who handled one of late."""
    return _what_they_carry(dice, House(dice, FAMILY), WhatCarried)


def _what_they_carry(dice: Dice, house: House, query: type) -> Story:
    telling = Telling(dice)
    while telling.questions < QUESTIONS:
        _say_two(telling, house)
        deeds = _recent(telling, Take, Drop, Give)
        if deeds:
            telling.ask(query(dice.pick(deeds).actor))
    return telling.story()


def _say_two(telling: Telling, house: House, take: Wording = Take.wordings[0]) -> None:
    for _ in range(2):
        event = house.next_event()
        telling.say(event, take if isinstance(event, Take) else None)


def _recent(telling: Telling, *deeds: type) -> list:
    return [event for event in telling.recent() if isinstance(event, deeds)]
