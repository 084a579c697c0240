"""Progress of a long check, on standard error."""

import sys
import time

FIRST, INTERVAL = 1.5, 10.0  # seconds before the first line, and between two lines
SHORTEST = 2.0  # seconds: a step that takes less in all is not reported
HINT = "; method='random_directions' needs only a few forward passes"


class Progress:
    """Lines on standard error once a check takes more than a second or two.

    Parameters
    ----------
    hint : bool
        Whether to recommend `random_directions`.
    """

    def __init__(self, hint: bool):
        self._hint = HINT if hint else ""
        self._started = self._step_started = time.perf_counter()
        self._next = self._started + FIRST
        self._name, self._total, self._done = "forward passes", None, 0

    def start(self, name: str, total: int | None = None) -> None:
        """Start a step.

        Parameters
        ----------
        name : str
            What is counted.
        total : int, optional
            Number of forward passes of the step, if it is known.
        """
        self._name, self._total, self._done = name, total, 0
        self._step_started = time.perf_counter()

    def tick(self) -> None:
        """Count one forward pass; print a line if it is time for one."""
        self._done += 1
        now = time.perf_counter()
        if now < self._next:
            return
        seconds = now - self._step_started
        if self._total is None:
            amount = f"{self._done:,} forward passes for {self._name}"
            left = None
        else:
            left = seconds / self._done * max(self._total - self._done, 0)
            if seconds + left < SHORTEST:
                return
            amount = f"{self._done:,} of {self._total:,} forward passes for {self._name}"
        self._next = now + INTERVAL
        estimate = "" if left is None else f", about {left:,.0f} s left"
        print(f"gradcheck: {amount}{estimate}{self._hint}", file=sys.stderr, flush=True)
