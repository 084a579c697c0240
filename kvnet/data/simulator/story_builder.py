"""A story under construction: its lines, and the state of the world after them."""

from typing import Any

from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import World
from kvnet.data.story import Question, Sentence, Story

RECENT = 5
"""Number of most recent sentences that a question can be about."""


class StoryBuilder:
    """A story under construction.

    Parameters
    ----------
    dice : Dice

    Attributes
    ----------
    world : World
        The state of the world after the lines so far.
    events : list
        The events so far, one per sentence.
    question_count : int
        Number of questions so far.
    """

    def __init__(self, dice: Dice):
        self.dice = dice
        self.world = World()
        self.events = []
        self.question_count = 0
        self._lines = []

    def add(self, event: Any, wording: Wording | None = None) -> None:
        """Append the sentence of an event and apply the event to the world.

        Parameters
        ----------
        event : NamedTuple with a method ``apply(world, line)``
        wording : Wording, optional
            By default one of the event's own wordings, drawn uniformly.
        """
        wording = wording or self._pick_wording(event.wordings)
        self._lines.append(Sentence(wording.render(event, self.dice)))
        self.events.append(event)
        event.apply(self.world, len(self._lines))

    def ask(self, query: Any) -> None:
        """Append the question of a query, with the answer that follows from the story so far.

        Parameters
        ----------
        query : NamedTuple with a method ``solve(world)``
        """
        solution = query.solve(self.world)
        text = self._pick_wording(query.wordings).render(query, self.dice)
        self._lines.append(Question(text, solution.answer, solution.supporting))
        self.question_count += 1

    def _pick_wording(self, wordings: tuple[Wording, ...]) -> Wording:
        return wordings[0] if len(wordings) == 1 else self.dice.pick(wordings)

    def recent_events(self) -> list:
        """Return the events of the last `RECENT` sentences.

        Returns
        -------
        events : list
        """
        return self.events[-RECENT:]

    def story(self) -> Story:
        """Return the story so far.

        Returns
        -------
        story : Story
        """
        return tuple(self._lines)
