"""A process for one peer with a fixed number of threads.

Each library keeps its own pool of threads, and some threads spin for a while after their work. In
one process they would compete for the cores; a process that waits for its turn uses no core.
"""

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kvnet.errors import InputError

from . import KINDS, Kind, make_peer
from .workload import BabiSpec, RandomSpec, Workload

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
        Number of threads, and of cores that the process may use.
    spec : BabiSpec or RandomSpec

    Raises
    ------
    InputError
        If there are fewer cores than threads, or the peer cannot be made.
    """

    def __init__(self, name: str, threads: int, spec: BabiSpec | RandomSpec):
        self.name, self.label, self.threads = name, KINDS[name].label, threads
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, name, threads, spec), daemon=True
        )
        with _confined_to(threads):
            self._process.start()
        theirs.close()
        self._receive()

    def __call__(self, method: str, *arguments):
        """Run a method of the peer and return its result."""
        return self.timed(method, *arguments)[0]

    def timed(self, method: str, *arguments) -> tuple[object, float, float]:
        """Run a method of the peer; return its result, wall-clock seconds and CPU seconds."""
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
    """Restrict processes started inside to `threads` cores, and their libraries to as many threads.

    Raises
    ------
    InputError
        If there are fewer cores.
    """
    cores = sorted(os.sched_getaffinity(0))
    if threads > len(cores):
        raise InputError(f"--threads: {threads} is more than the {len(cores)} available cores")
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    os.sched_setaffinity(0, cores[:threads])  # inherited by the process and all its threads
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _serve(pipe, name: str, threads: int, spec: BabiSpec | RandomSpec) -> None:
    """Make the peer and run its methods on request until the other end closes the pipe."""
    peer = None
    method, arguments = None, ()
    while True:
        try:
            if peer is None:
                peer, answer = make_peer(KINDS[name], Workload(spec), threads), None
            else:
                answer = _timed(getattr(peer, method), arguments)
            reply = (None, answer)
        except Exception as error:  # the caller must get a reply whatever the error is
            lines = str(error).strip().splitlines() or [""]
            reply = (f"{type(error).__name__}: {lines[0]}", None)
        try:
            pipe.send(reply)
            method, arguments = pipe.recv()
        except (EOFError, OSError, KeyboardInterrupt):
            return


def _timed(function, arguments):
    wall, cpu = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return result, time.perf_counter() - wall, time.process_time() - cpu
