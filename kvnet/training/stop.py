"""Ctrl-C, SIGTERM and SIGHUP as a request that the training loop answers between two steps."""

import signal
import sys

STOPS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class StopRequest:
    """A context that records the first Ctrl-C, SIGTERM or SIGHUP; a second one exits at once.

    SIGHUP is what a process gets when its terminal or SSH session is closed. A signal that the
    process was started to ignore, as by ``nohup``, stays ignored.

    Attributes
    ----------
    signal : int
        The number of the signal that was received, or 0.
    """

    def __init__(self):
        self.signal = 0

    def __enter__(self) -> "StopRequest":
        """Install the handlers."""
        self._before = {
            number: signal.signal(number, self._note)
            for number in STOPS
            if signal.getsignal(number) is not signal.SIG_IGN
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
