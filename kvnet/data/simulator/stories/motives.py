"""Task 20: why people go where they go."""

from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.motives import REMEDIES, Feels, WhereWillGo, WhyGot, WhyWent
from kvnet.data.simulator.places import Move
from kvnet.data.simulator.possessions import Take
from kvnet.data.simulator.telling import Telling
from kvnet.data.story import Story

MOVED_BY_MOTIVES = ("Antoine", "Jason", "Sumit", "Yann")


def agents_motivations(dice: Dice) -> Story:
    """Task 20: everybody has a motive, goes after it and gets what they want, if it is still there.

    A question follows every sentence; the story ends when there is nothing left to do.
    """
    telling = Telling(dice)
    motives = {actor: dice.pick(tuple(REMEDIES)) for actor in MOVED_BY_MOTIVES}
    done = dict.fromkeys(MOVED_BY_MOTIVES, 0)
    taken = set()
    while True:
        wants = {actor: REMEDIES[motive].thing for actor, motive in motives.items()}
        able = [
            actor
            for actor in MOVED_BY_MOTIVES
            if done[actor] < 2 or (done[actor] == 2 and wants[actor] not in taken)
        ]
        if not able:
            return telling.story()
        actor = dice.pick(able)
        place, thing = REMEDIES[motives[actor]]
        if done[actor] == 0:
            telling.say(Feels(actor, motives[actor]))
            telling.ask(WhereWillGo(actor.lower()))
        elif done[actor] == 1:
            telling.say(Move(actor, place))
            telling.ask(WhyWent(actor.lower(), place))
        else:
            taken.add(thing)
            telling.say(Take(actor, thing), Take.wordings[0])
            telling.ask(WhyGot(actor.lower(), thing))
        done[actor] += 1
