"""Call a function on each of several items in processes of their own, with a time limit."""

import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import wait
from typing import NamedTuple

CONTEXT = multiprocessing.get_context("forkserver")


class Lost(NamedTuple):
    """The outcome of a call that returned nothing.

    Attributes
    ----------
    reason : {"crash", "time limit"}
        Whether the process ended before the function returned, or exceeded the time limit.
    """

    reason: str


class _Worker:
    def __init__(self, function: Callable):
        self.pipe, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=_serve, args=(theirs, function), daemon=True)
        self.process.start()
        theirs.close()

    def start(self, item, seconds: float) -> None:
        self.item, self.deadline = item, time.monotonic() + seconds
        with suppress(OSError):  # a process that has ended is found out by `outcome`
            self.pipe.send(item)

    def outcome(self):
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return Lost("crash")

    def end(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()


def _serve(pipe, function):
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            pipe.send(function(pipe.recv()))


def in_processes(
    function: Callable, items: Iterable, workers: int, seconds: float, reuse: bool
) -> Iterator[tuple]:
    """Call a function on each item.

    Parameters
    ----------
    function : callable
        Can be pickled, as can what it takes and returns. An exception counts as a crash.
    items : iterable
    workers : int
        Number of processes at a time.
    seconds : float
        Time limit of one call.
    reuse : bool
        Whether a process may serve several items; otherwise each item has a new one.

    Yields
    ------
    item, outcome : object
        In the order in which calls end; what the function returned, or a `Lost`.
    """
    remaining, idle, busy = iter(items), [], []
    try:
        while True:
            while len(busy) < workers:
                try:
                    item = next(remaining)
                except StopIteration:
                    break
                worker = idle.pop() if idle else _Worker(function)
                worker.start(item, seconds)
                busy.append(worker)
            if not busy:
                return
            patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
            ready = wait([worker.pipe for worker in busy], patience)
            for worker in list(busy):
                if worker.pipe in ready:
                    outcome = worker.outcome()
                elif time.monotonic() >= worker.deadline:
                    outcome = Lost("time limit")
                else:
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
