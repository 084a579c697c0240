"""Ctrl-C and SIGTERM as a request that the training loop answers between two steps."""

import signal
import sys


class StopRequest:
    """A context in which the first SIGINT or SIGTERM is noted; a second one interrupts at once.

    Attributes
    ----------
    signal : int
        The signal that came, or 0.
    """

    def __init__(self):
        self.signal = 0

    def __enter__(self) -> "StopRequest":
        """Take over both signals."""
        self._before = {
            number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *exception) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __bool__(self) -> bool:
        """Whether a signal came."""
        return self.signal != 0

    def _note(self, number, frame):
        if self.signal:
            sys.exit(128 + number)
        self.signal = number
