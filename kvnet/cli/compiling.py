"""A word to the user while kernels compile, which looks like a hang otherwise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event

COMPILED = "numba:compile"


class _Teller(event.Listener):
    def __init__(self, say):
        self.say, self.told = say, False

    def on_start(self, event):
        if not self.told:
            self.told = True
            self.say("compiling the fused kernels for this machine: about half a minute, once")

    def on_end(self, event):
        pass


@contextmanager
def compiling_told(say: Callable[[str], None]) -> Iterator[None]:
    """Say that kernels are compiled, if they are: what is found compiled on disk costs no time.

    Parameters
    ----------
    say : callable
        Takes a line of text.
    """
    teller = _Teller(say)
    event.register(COMPILED, teller)
    try:
        yield
    finally:
        event.unregister(COMPILED, teller)
