"""Stories about where actors were at which time of day: task 14."""

from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.places import TOWN
from kvnet.data.simulator.stories.place_stories import NEIGHBOURS, QUESTIONS
from kvnet.data.simulator.story_builder import RECENT, StoryBuilder
from kvnet.data.simulator.times import TIMES, MoveAt, WhereWas
from kvnet.data.story import Story


def time_reasoning(dice: Dice) -> Story:
    """Generate a story of task 14: every actor moves up to four times.

    The sentences between two questions are shuffled. A question is about one of the last five
    moves, in the order in which they happened: it asks for the actor's place before the move. No
    question is possible until an actor has moved for the second time, so more than two sentences
    may precede the first question.
    """
    builder = StoryBuilder(dice)
    moves = []
    pending = []
    while builder.question_count < QUESTIONS:
        pending += [_add_move(dice, moves), _add_move(dice, moves)]
        recent = [move for move in moves[-RECENT:] if move.time != TIMES[0]]
        if recent:
            _derange(dice, pending)
            for move in pending:
                builder.add(move)
            pending = []
            move = dice.pick(recent)
            builder.ask(WhereWas(move.actor, move.place))
    return builder.story()


def _add_move(dice: Dice, moves: list[MoveAt]) -> MoveAt:
    """Append and return a move: a random actor goes to another place at the actor's next time."""
    while True:
        actor = dice.pick(NEIGHBOURS)
        place = dice.pick(TOWN)
        visits = [move for move in moves if move.actor == actor]
        if len(visits) < len(TIMES) and not (visits and visits[-1].place == place):
            moves.append(MoveAt(actor, place, TIMES[len(visits)]))
            return moves[-1]


def _derange(dice: Dice, items: list) -> None:
    """Shuffle in place so that no item keeps its position (Sattolo's algorithm)."""
    for last in range(len(items) - 1, 0, -1):
        other = dice.randrange(last)
        items[last], items[other] = items[other], items[last]
