"""A message while kernels compile, which otherwise looks like a hang."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event

COMPILED = "numba:compile"


class _Listener(event.Listener):
    def __init__(self, say):
        self.say, self.has_said = say, False

    def on_start(self, event):
        if not self.has_said:
            self.has_said = True
            self.say("compiling the fused kernels for this machine: about half a minute, once")

    def on_end(self, event):
        pass


@contextmanager
def announce_compilation(say: Callable[[str], None]) -> Iterator[None]:
    """Announce compilation when it begins; kernels from the cache are not compiled again.

    Parameters
    ----------
    say : callable
        Prints a line of text.
    """
    listener = _Listener(say)
    event.register(COMPILED, listener)
    try:
        yield
    finally:
        event.unregister(COMPILED, listener)
