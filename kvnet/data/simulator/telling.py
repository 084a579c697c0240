"""A story while it is being told: its lines, and the world that they have told so far."""

from typing import Any

from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import World
from kvnet.data.story import Question, Sentence, Story

RECENT = 5
"""Questions are about something that happened in this many sentences, the last ones."""


class Telling:
    """A story in the making.

    Parameters
    ----------
    dice : Dice

    Attributes
    ----------
    world : World
        What the lines so far have told.
    said : list
        The events so far, one for each sentence.
    questions : int
        How many have been asked.
    """

    def __init__(self, dice: Dice):
        self.dice = dice
        self.world = World()
        self.said = []
        self.questions = 0
        self._lines = []

    def say(self, event: Any, wording: Wording | None = None) -> None:
        """Tell an event.

        Parameters
        ----------
        event : NamedTuple with a method ``happen(world, line)``
        wording : Wording, optional
            By default one of the event's own, each equally likely.
        """
        wording = wording or self._one_of(event.wordings)
        self._lines.append(Sentence(wording.write(event, self.dice)))
        self.said.append(event)
        event.happen(self.world, len(self._lines))

    def ask(self, query: Any) -> None:
        """Ask a question; the answer is what the story so far comes to.

        Parameters
        ----------
        query : NamedTuple with a method ``solve(world)``
        """
        solution = query.solve(self.world)
        text = self._one_of(query.wordings).write(query, self.dice)
        self._lines.append(Question(text, solution.answer, solution.supporting))
        self.questions += 1

    def _one_of(self, wordings: tuple[Wording, ...]) -> Wording:
        return wordings[0] if len(wordings) == 1 else self.dice.pick(wordings)

    def recent(self) -> list:
        """Return the events of the last sentences.

        Returns
        -------
        events : list
        """
        return self.said[-RECENT:]

    def story(self) -> Story:
        """Return the story so far.

        Returns
        -------
        story : Story
        """
        return tuple(self._lines)
