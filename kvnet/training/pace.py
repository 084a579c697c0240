"""How many training steps to take between two checks of the clock and of the keyboard."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS_AT_A_TIME = 0.05


class Pace:
    """The number of steps to take at a time, so that they take about 50 ms.

    Attributes
    ----------
    steps : int
    """

    def __init__(self):
        self.steps = 1

    @contextmanager
    def timed(self, taken: int) -> Iterator[None]:
        """Time the steps taken inside the context and set `steps` accordingly."""
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        most = 2 * self.steps  # the first steps compile, so their time says nothing
        self.steps = min(most, max(1, int(taken * SECONDS_AT_A_TIME / max(seconds, 1e-9))))
