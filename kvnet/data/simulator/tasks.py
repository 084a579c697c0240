"""The simulator's entry: stories of any of the 20 tasks, as many questions as wanted."""

from kvnet.data.babi_format import TASK_NAMES
from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.stories import (
    kinds,
    motives,
    places,
    possessions,
    relations,
    sizes,
    times,
)
from kvnet.data.story import Question, Story
from kvnet.errors import InputError

STORIES = {
    1: places.single_supporting_fact,
    2: possessions.two_supporting_facts,
    3: possessions.three_supporting_facts,
    4: relations.two_argument_relations,
    5: possessions.three_argument_relations,
    6: possessions.yes_no_questions,
    7: possessions.counting,
    8: possessions.lists_and_sets,
    9: places.simple_negation,
    10: places.indefinite_knowledge,
    11: places.basic_coreference,
    12: places.conjunction,
    13: places.compound_coreference,
    14: times.time_reasoning,
    15: kinds.basic_deduction,
    16: kinds.basic_induction,
    17: relations.positional_reasoning,
    18: sizes.size_reasoning,
    19: relations.path_finding,
    20: motives.agents_motivations,
}
"""Task number to the function that tells one of its stories."""


def generate(task: int, questions: int, seed: int, split: str = "train") -> list[Story]:
    """Write stories of a bAbI task.

    Parameters
    ----------
    task : int
        1 to 20.
    questions : int
        How many in total, at least 1; the last story is cut short after the last one.
    seed : int
        The same seed gives the same stories, in every process and whatever else is generated.
    split : str, optional
        ``"train"`` and ``"test"`` have nothing in common but the task.

    Returns
    -------
    stories : list of Story

    Raises
    ------
    InputError
        If there is no such task or no question to write.

    Examples
    --------
    >>> [story] = generate(task=1, questions=1, seed=1)
    >>> len(story)
    3
    """
    if task not in STORIES:
        raise InputError(f"task: got {task}; the tasks are 1 to {len(TASK_NAMES)}")
    if questions < 1:
        raise InputError(f"questions: got {questions}; ask for at least 1")
    dice = Dice(f"kvnet/{seed}/{task}/{split}")
    stories = []
    while questions > 0:
        story = STORIES[task](dice)
        asked = [line for line, text in enumerate(story, 1) if isinstance(text, Question)]
        stories.append(story[: asked[questions - 1]] if questions < len(asked) else story)
        questions -= len(asked)
    return stories
