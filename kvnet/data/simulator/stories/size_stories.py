"""Stories about which object fits inside which: task 18."""

from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.sizes import BOXES, SWEETS, DoesFit, FitsInside, chain_partner
from kvnet.data.simulator.stories.place_stories import QUESTIONS
from kvnet.data.simulator.story_builder import StoryBuilder
from kvnet.data.story import Story

MAX_DRAWS = 31
"""Number of draws for one question before more comparisons are added instead."""


def size_reasoning(dice: Dice) -> Story:
    """Generate a story of task 18: five comparisons, then up to five questions.

    Each question is about a chain of two comparisons. If no chain is found, five more comparisons
    follow. Sweets are smaller than boxes.
    """
    builder = StoryBuilder(dice)
    by_size = (*SWEETS, *dice.sample(BOXES, len(BOXES)))
    while builder.question_count < QUESTIONS:
        for _ in range(5):
            small, large = sorted(dice.sample(range(len(by_size)), 2))
            builder.add(FitsInside(by_size[small], by_size[large]))
        for _ in range(QUESTIONS):
            query = _chain_query(dice, builder)
            if query is None:
                break
            builder.ask(query)
    return builder.story()


def _chain_query(dice: Dice, builder: StoryBuilder) -> DoesFit | None:
    """Draw one of the recent comparisons; return the query about its chain, or None."""
    for _ in range(MAX_DRAWS):
        first = dice.pick(builder.recent_events())
        downwards = dice.chance(0.5)
        other = chain_partner(builder.events, first, downwards)
        if other is not None:
            # Downwards, the query asks whether the small end fits in the large end (yes); upwards,
            # whether the large end fits in the small end (no).
            ends = (other.small, first.large) if downwards else (other.large, first.small)
            return DoesFit(*ends)
    return None
