"""Calls of a function in several processes, with a time limit; a process may crash."""

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from math import inf
from multiprocessing.connection import wait
from typing import NamedTuple

# Not a fork of this process: it may have started threads, which a fork does not take with it.
_METHODS = multiprocessing.get_all_start_methods()
CONTEXT = multiprocessing.get_context("forkserver" if "forkserver" in _METHODS else "spawn")

GRACE = 2.0  # seconds in which a process that is ended may clean up


class Lost(NamedTuple):
    """The outcome of a call that did not return.

    Attributes
    ----------
    reason : str
        ``"time limit"``, or ``"crash"`` if the process ended before the function returned.
    """

    reason: str


def in_processes(
    function: Callable,
    items: Iterable,
    processes: int,
    time_limit: float = inf,
    reuse: bool = True,
) -> Iterator[tuple]:
    """Call a function on each item, in several processes at a time.

    All processes are ended when the iterator is exhausted, closed or interrupted.

    Parameters
    ----------
    function : callable
        It, its argument and what it returns must be picklable.
    items : iterable
    processes : int
    time_limit : float
        Seconds for one call.
    reuse : bool
        Whether a process serves one item after another; otherwise each item has a new process.

    Yields
    ------
    item : object
    outcome : object
        What the function returned, the exception that it raised, or a `Lost`. Items are in the
        order in which their calls end.
    """
    remaining, idle, busy = iter(items), [], []
    try:
        while True:
            while len(busy) < processes:
                item = next(remaining, _END)
                if item is _END:
                    break
                worker = idle.pop() if idle else _Worker(function)
                worker.start(item)
                busy.append(worker)
            if not busy:
                return
            seconds = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
            ready = wait([worker.pipe for worker in busy], None if seconds == inf else seconds)
            for worker in list(busy):
                if worker.pipe not in ready and time.monotonic() < worker.deadline:
                    continue
                outcome = worker.result() if worker.pipe in ready else Lost("time limit")
                if isinstance(outcome, _Begun):
                    worker.deadline = time.monotonic() + time_limit
                    continue
                busy.remove(worker)
                if reuse and not isinstance(outcome, Lost):
                    idle.append(worker)
                else:
                    worker.end()
                yield worker.item, outcome
    finally:
        for worker in (*busy, *idle):
            worker.end()


_END = object()


class _Begun:
    """A process's message that a call begins: the time limit excludes the start of the process."""


class _Worker:
    """A process that calls the function on one item after another."""

    def __init__(self, function: Callable):
        self.pipe, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=_serve, args=(theirs, function), daemon=True)
        self.process.start()
        theirs.close()

    def start(self, item) -> None:
        self.item, self.deadline = item, inf  # until the call begins
        with suppress(OSError):  # the process has ended, which `result` reports
            self.pipe.send(item)

    def result(self):
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return Lost("crash")

    def end(self) -> None:
        """End the process; it cleans up, unless it does not react."""
        self.pipe.close()
        self.process.terminate()
        self.process.join(GRACE)
        self.process.kill()
        self.process.join()


def _serve(pipe, function):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with suppress(EOFError, OSError):
        while True:
            item = pipe.recv()
            pipe.send(_Begun())
            try:
                outcome = function(item)
            except Exception as error:
                outcome = error
            pipe.send(outcome)
