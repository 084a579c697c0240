"""The entry point of the simulator: generate stories of any of the 20 tasks."""

from kvnet.data.babi_format import TASK_NAMES
from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.stories import (
    kind_stories,
    motive_stories,
    place_stories,
    possession_stories,
    relation_stories,
    size_stories,
    time_stories,
)
from kvnet.data.story import Question, Story
from kvnet.errors import InputError

STORY_GENERATORS = {
    1: place_stories.single_supporting_fact,
    2: possession_stories.two_supporting_facts,
    3: possession_stories.three_supporting_facts,
    4: relation_stories.two_argument_relations,
    5: possession_stories.three_argument_relations,
    6: possession_stories.yes_no_questions,
    7: possession_stories.counting,
    8: possession_stories.lists_and_sets,
    9: place_stories.simple_negation,
    10: place_stories.indefinite_knowledge,
    11: place_stories.basic_coreference,
    12: place_stories.conjunction,
    13: place_stories.compound_coreference,
    14: time_stories.time_reasoning,
    15: kind_stories.basic_deduction,
    16: kind_stories.basic_induction,
    17: relation_stories.positional_reasoning,
    18: size_stories.size_reasoning,
    19: relation_stories.path_finding,
    20: motive_stories.agents_motivations,
}
"""Task number to the function that generates one story of the task."""


def generate(task: int, questions: int, seed: int, split: str = "train") -> list[Story]:
    """Generate stories of a bAbI task.

    Parameters
    ----------
    task : int
        1 to 20.
    questions : int
        Total number of questions, at least 1. The last story ends with the last question.
    seed : int
        The same seed gives the same stories in every process, independently of other calls.
    split : str, optional
        Name of the split, part of the random seed: ``"train"`` and ``"test"`` are independent
        draws from the same task.

    Returns
    -------
    stories : list of Story

    Raises
    ------
    InputError
        If `task` is not from 1 to 20 or `questions` is less than 1.

    Examples
    --------
    >>> [story] = generate(task=1, questions=1, seed=1)
    >>> len(story)
    3
    """
    if task not in STORY_GENERATORS:
        raise InputError(f"task: got {task}; give a number from 1 to {len(TASK_NAMES)}")
    if questions < 1:
        raise InputError(f"questions: got {questions}; give at least 1")
    dice = Dice(f"kvnet/{seed}/{task}/{split}")
    stories = []
    while questions > 0:
        story = STORY_GENERATORS[task](dice)
        question_ids = [
            line_id for line_id, line in enumerate(story, 1) if isinstance(line, Question)
        ]
        cut = questions < len(question_ids)
        stories.append(story[: question_ids[questions - 1]] if cut else story)
        questions -= len(question_ids)
    return stories
