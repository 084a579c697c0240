"""Ctrl-C and SIGTERM as a request that the training loop answers between two steps."""

import signal
import sys


class StopRequest:
    """A context that records the first SIGINT or SIGTERM; a second one exits at once.

    Attributes
    ----------
    signal : int
        The number of the signal that was received, or 0.
    """

    def __init__(self):
        self.signal = 0

    def __enter__(self) -> "StopRequest":
        """Install the handlers of both signals."""
        self._before = {
            number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *exception) -> None:
        """Restore the previous handlers."""
        for number, handler in self._before.items():
            # None is a handler that was not installed from Python, which cannot be restored.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def __bool__(self) -> bool:
        """Whether a signal was received."""
        return self.signal != 0

    def _note(self, number, frame):
        if self.signal:
            sys.exit(128 + number)
        self.signal = number
