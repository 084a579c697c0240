"""How many training steps to take between two looks at the clock, the keyboard and the progress."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS_AT_A_TIME = 0.05


class Pace:
    """How many steps to take at a time: as many as a person does not mind waiting for.

    Attributes
    ----------
    steps : int
    """

    def __init__(self):
        self.steps = 1

    @contextmanager
    def timed(self, taken: int) -> Iterator[None]:
        """Time some steps, and set the number for the next time."""
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        most = 2 * self.steps  # the first steps compile, and tell nothing
        self.steps = min(most, max(1, int(taken * SECONDS_AT_A_TIME / max(seconds, 1e-9))))
