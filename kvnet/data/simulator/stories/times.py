"""Task 14: who was where at which time of day."""

from kvnet.data.simulator.dice import Dice
from kvnet.data.simulator.places import TOWN
from kvnet.data.simulator.stories.places import NEIGHBOURS, QUESTIONS
from kvnet.data.simulator.telling import RECENT, Telling
from kvnet.data.simulator.times import TIMES, MoveAt, WhereWas
from kvnet.data.story import Story


def time_reasoning(dice: Dice) -> Story:
    """Task 14: everybody moves up to four times; the sentences before a question are shuffled.

    A question asks after the place before one of the last five moves, in the order in which they
    happened. Until somebody has moved twice there is none to ask, so the first batch may be longer.
    """
    telling = Telling(dice)
    moves = []
    untold = []
    while telling.questions < QUESTIONS:
        untold += [_next_move(dice, moves), _next_move(dice, moves)]
        recent = [move for move in moves[-RECENT:] if move.time != TIMES[0]]
        if recent:
            _shuffle_all(dice, untold)
            for move in untold:
                telling.say(move)
            untold = []
            move = dice.pick(recent)
            telling.ask(WhereWas(move.actor, move.place))
    return telling.story()


def _next_move(dice: Dice, moves: list[MoveAt]) -> MoveAt:
    """Add a move to the day: somebody's place at their next time, not the one where they are."""
    while True:
        actor = dice.pick(NEIGHBOURS)
        place = dice.pick(TOWN)
        visits = [move for move in moves if move.actor == actor]
        if len(visits) < len(TIMES) and not (visits and visits[-1].place == place):
            moves.append(MoveAt(actor, place, TIMES[len(visits)]))
            return moves[-1]


def _shuffle_all(dice: Dice, items: list) -> None:
    """Shuffle in place so that no item stays where it was (Sattolo's algorithm)."""
    for last in range(len(items) - 1, 0, -1):
        other = dice.randrange(last)
        items[last], items[other] = items[other], items[last]
