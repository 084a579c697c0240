"""A process for one peer, with so many threads and no more.

Each library keeps its own pool of threads, and some spin for a while after their work. In one
process they would take the cores from each other; a process that waits for its turn does not.
"""

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kvnet.errors import InputError

from . import KINDS, Kind, make_peer
from .workload import RandomRecipe, Recipe, Workload

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",  # PyTorch
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",  # NumPy
    "NUMBA_NUM_THREADS",
    "NPROC",  # XLA
)
SECONDS_TO_END = 10


class Worker:
    """A peer in its own process.

    Parameters
    ----------
    name : str
        One of `peers.KINDS`.
    threads : int
    recipe : Recipe or RandomRecipe

    Raises
    ------
    InputError
        If there are fewer cores, or the peer cannot be made.
    """

    def __init__(self, name: str, threads: int, recipe: Recipe | RandomRecipe):
        self.name, self.label, self.threads = name, KINDS[name].label, threads
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, name, threads, recipe), daemon=True
        )
        with _confined_to(threads):
            self._process.start()
        theirs.close()
        self._receive()

    def __call__(self, method: str, *arguments):
        """Run a method of the peer and return its result."""
        return self.timed(method, *arguments)[0]

    def timed(self, method: str, *arguments) -> tuple[object, float, float]:
        """Run a method of the peer; return its result, its seconds and its processor seconds."""
        self._pipe.send((method, arguments))
        return self._receive()

    def _receive(self):
        try:
            problem, answer = self._pipe.recv()
        except EOFError:
            problem = "its process died"
        if problem:
            raise InputError(f"{self.name}: {problem}")
        return answer

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(timeout=SECONDS_TO_END)
        self._process.terminate()


class Local:
    """A peer in this process, on all its cores.

    Parameters
    ----------
    name : str
    kind : Kind
    workload : Workload
    """

    def __init__(self, name: str, kind: Kind, workload: Workload):
        self.name, self.label, self.threads = name, kind.label, os.cpu_count()
        self.peer = make_peer(kind, workload, self.threads)

    def __call__(self, method: str, *arguments):
        """Run a method of the peer and return its result."""
        return getattr(self.peer, method)(*arguments)


@contextmanager
def _confined_to(threads: int) -> Iterator[None]:
    """Let processes started inside run on so many cores only, and tell their libraries so."""
    cores = sorted(os.sched_getaffinity(0))
    if threads > len(cores):
        raise InputError(f"--threads: {threads} is more than the {len(cores)} cores there are")
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    os.sched_setaffinity(0, cores[:threads])  # what a process starts with, all its threads keep
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _serve(pipe, name: str, threads: int, recipe: Recipe | RandomRecipe) -> None:
    """Answer calls until the other end closes."""
    peer = None
    method, arguments = None, ()
    while True:
        try:
            if peer is None:
                peer, answer = make_peer(KINDS[name], Workload(recipe), threads), None
            else:
                answer = _timed(getattr(peer, method), arguments)
            reply = (None, answer)
        except Exception as error:  # whatever it is, the other side must hear of it
            lines = str(error).strip().splitlines() or [""]
            reply = (f"{type(error).__name__}: {lines[0]}", None)
        try:
            pipe.send(reply)
            method, arguments = pipe.recv()
        except (EOFError, OSError, KeyboardInterrupt):
            return


def _timed(function, arguments):
    wall, processor = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return result, time.perf_counter() - wall, time.process_time() - processor
