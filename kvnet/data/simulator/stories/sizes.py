"""Task 18: what fits inside what."""

from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.sizes import BOXES, SWEETS, DoesFit, FitsInside, chained
from kvnet.data.simulator.stories.places import QUESTIONS
from kvnet.data.simulator.telling import Telling
from kvnet.data.story import Story

PATIENCE = 31
"""How many draws a question gets before the story goes on without it."""


def size_reasoning(dice: Dice) -> Story:
    """Task 18: five comparisons, then five questions about two of them in a chain.

    If they make no chain, five more comparisons follow. Sweets are smaller than boxes.
    """
    telling = Telling(dice)
    by_size = (*SWEETS, *dice.sample(BOXES, len(BOXES)))
    while telling.questions < QUESTIONS:
        for _ in range(5):
            small, large = sorted(dice.sample(range(len(by_size)), 2))
            telling.say(FitsInside(by_size[small], by_size[large]))
        for _ in range(QUESTIONS):
            query = _chained_query(dice, telling)
            if query is None:
                break
            telling.ask(query)
    return telling.story()


def _chained_query(dice: Dice, telling: Telling) -> DoesFit | None:
    """Draw one of the last comparisons; ask about its chain with another, if it makes one."""
    for _ in range(PATIENCE):
        fact = dice.pick(telling.recent())
        from_top = dice.happens(0.5)
        other = chained(telling.said, fact, from_top)
        if other is not None:
            # From the top the answer is yes: the question is in the order of the sizes.
            ends = (other.small, fact.large) if from_top else (other.large, fact.small)
            return DoesFit(*ends)
    return None
