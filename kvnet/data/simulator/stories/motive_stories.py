"""Stories about why actors go to places and get objects: task 20."""

from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.motives import REMEDIES, Feels, WhereWillGo, WhyGot, WhyWent
from kvnet.data.simulator.places import Move
from kvnet.data.simulator.possessions import Take
from kvnet.data.simulator.story_builder import StoryBuilder
from kvnet.data.story import Story

ACTORS = ("Antoine", "Jason", "Sumit", "Yann")


def agents_motivations(dice: Dice) -> Story:
    """Generate a story of task 20.

    Every actor has a motive, goes to the place of its remedy and takes the object there, unless
    another actor has taken it. A question follows every sentence. The story ends when no actor has
    anything left to do.
    """
    builder = StoryBuilder(dice)
    motives = {actor: dice.pick(tuple(REMEDIES)) for actor in ACTORS}
    steps_done = dict.fromkeys(ACTORS, 0)
    taken = set()
    while True:
        wanted = {actor: REMEDIES[motive].thing for actor, motive in motives.items()}
        able = [
            actor
            for actor in ACTORS
            if steps_done[actor] < 2 or (steps_done[actor] == 2 and wanted[actor] not in taken)
        ]
        if not able:
            return builder.story()
        actor = dice.pick(able)
        place, thing = REMEDIES[motives[actor]]
        if steps_done[actor] == 0:
            builder.add(Feels(actor, motives[actor]))
            builder.ask(WhereWillGo(actor.lower()))
        elif steps_done[actor] == 1:
            builder.add(Move(actor, place))
            builder.ask(WhyWent(actor.lower(), place))
        else:
            taken.add(thing)
            builder.add(Take(actor, thing), Take.wordings[0])
            builder.ask(WhyGot(actor.lower(), thing))
        steps_done[actor] += 1
