"""A message while kernels compile, which otherwise looks like a hang, and the time it takes."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from numba.core import event

COMPILED = "numba:compile"
_announcing = ContextVar("compilation is announced", default=False)
MESSAGE = "compiling the fused kernels for this machine: about half a minute, once"


class CompileClock(event.Listener):
    """Measure how long kernels compile while it is registered.

    Parameters
    ----------
    on_first : callable, optional
        Called when the first compilation begins.

    Attributes
    ----------
    seconds : float
        Of all compilations that have ended.
    """

    def __init__(self, on_first: Callable[[], None] | None = None):
        self.seconds, self._on_first, self._depth = 0.0, on_first, 0

    def register(self) -> None:
        """Begin to measure."""
        event.register(COMPILED, self)

    def unregister(self) -> None:
        """End measuring."""
        event.unregister(COMPILED, self)

    def on_start(self, event):
        """Note the time. The functions that a kernel calls compile inside it."""
        if self._depth == 0:
            self._began = time.monotonic()
        self._depth += 1
        if self._on_first:
            on_first, self._on_first = self._on_first, None
            on_first()

    def on_end(self, event):
        """Add the time since the outermost compilation began."""
        self._depth -= 1
        if self._depth == 0:
            self.seconds += time.monotonic() - self._began


@contextmanager
def announce_compilation(say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Announce compilation when it begins; kernels from the cache are not compiled again.

    Inside another such context, that one announces.

    Parameters
    ----------
    say : callable, optional
        Prints a line of text; by default on standard error.
    """
    if _announcing.get():
        yield
        return
    say = say or _print_on_stderr
    clock, token = CompileClock(lambda: say(MESSAGE)), _announcing.set(True)
    clock.register()
    try:
        yield
    finally:
        clock.unregister()
        _announcing.reset(token)


def _print_on_stderr(text):
    print(text, file=sys.stderr, flush=True)
