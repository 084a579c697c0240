"""Threads that share the blocks of a kernel's work, and synchronise after each of its phases.

All threads run the same kernel from phase to phase. No thread waits until another one begins: those
that run take all blocks, so a thread that comes late, or never, delays no other. The blocks are the
same for any number of threads, and results do not depend on which thread does a block.

Numba's own parallel loop does not serve: it compiles its body four times, drops an error that a
thread raises, and ends a process that was forked after its first loop.
"""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache

import numpy
from llvmlite import ir
from numba import int64, types
from numba.core import cgutils
from numba.extending import intrinsic

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import INNER
from kvnet.kernels.parts.matrices import multiply

ALL_DONE = 2**62  # more than any number of blocks
BLAS_BUFFER = 48 * 2**20  # bytes; OpenBLAS takes 32 MiB
BLAS_SIZE = 256  # of a product that needs a buffer
LINE = 8  # counters are a cache line apart
LOOKS_BEFORE_YIELDING = 2000  # a microsecond or two
YIELD = "SwitchToThread" if os.name == "nt" else "sched_yield"  # gives the core to another thread


CORES = os.cpu_count() or 1
_allowed = threading.local()  # each thread of Python has its own number


@cache
def _helpers():
    return ThreadPoolExecutor(max_workers=CORES)


if hasattr(os, "register_at_fork"):  # a forked process has none of the threads: it starts its own
    os.register_at_fork(after_in_child=_helpers.cache_clear)


def allowed_threads() -> int:
    """Return the number of threads that a kernel may use: all cores, unless it was limited."""
    return getattr(_allowed, "count", CORES)


def allow_threads(count: int) -> None:
    """Set the number of threads that kernels called from this thread may use."""
    _allowed.count = min(count, CORES)


@cache
def prepare_blas(count: int) -> None:
    """Let BLAS allocate the buffers of a number of threads.

    OpenBLAS keeps one buffer for each product that is computed at the same time. It allocates it
    when it is first needed and, without memory, tries again for ever. So that is done before a
    model takes the memory.

    Raises
    ------
    MemoryError
        If there is no memory for the buffers.
    """
    numpy.empty(count * BLAS_BUFFER, numpy.uint8)
    a = numpy.ones((BLAS_SIZE, BLAS_SIZE), numpy.float32)
    a @ a  # NumPy's BLAS is another library than that of the kernels
    together = threading.Barrier(count, timeout=1)

    def multiply_for_a_while():
        with suppress(threading.BrokenBarrierError):  # a machine without further threads
            together.wait()
        product, end = numpy.empty_like(a), time.monotonic() + 0.005
        while time.monotonic() < end:  # a thread that has no core of its own is stopped inside
            multiply(a, a, product)

    others = []
    with suppress(RuntimeError):
        others += [_helpers().submit(multiply_for_a_while) for _ in range(count - 1)]
    multiply_for_a_while()
    wait(others)


def run_on_all_threads(kernel: Callable, blocks: int, *arguments, phases: int = 1) -> None:
    """Call a kernel on every thread that kernels may use, and return when all have returned.

    Parameters
    ----------
    kernel : callable
        Compiled with ``nogil``. It takes its share of the blocks with `next_block`, from counters
        that are its first argument.
    blocks : int
        Of the phase with the most blocks; no more threads than these are used.
    arguments
        Those after the counters.
    phases : int, default=1

    Raises
    ------
    MemoryError
        If the kernel raises one on any thread. All threads have then ended.
    """
    counters = counters_for(phases)
    helpers = min(allowed_threads(), blocks) - 1
    if helpers < 1:
        kernel(counters, *arguments)
        return

    def run():
        try:
            kernel(counters, *arguments)
        except BaseException:  # out of memory, or Ctrl-C on the way into or out of the kernel
            counters.fill(ALL_DONE)  # the others take no further block and wait for none
            raise

    _on_helpers(run, helpers)


def map_on_all_threads(function: Callable, count: int) -> list:
    """Call a function with 0 to count - 1 on the threads that kernels may use.

    Parameters
    ----------
    function : callable
        It should spend its time in a kernel compiled with ``nogil``.
    count : int

    Returns
    -------
    results : list
        In order, whatever thread computed them.

    Raises
    ------
    Exception
        If the function raises one on any thread. All threads have then ended.
    """
    results, numbers = [None] * count, list(reversed(range(count)))

    def work():
        while numbers:
            try:
                number = numbers.pop()  # all threads take from one list
            except IndexError:  # another one took the last
                return
            try:
                results[number] = function(number)
            except BaseException:
                numbers.clear()  # the others take no further one
                raise

    _on_helpers(work, min(allowed_threads(), count) - 1)
    return results


def _on_helpers(work, helpers):
    """Call a function on this thread and on helpers; return when all have returned."""
    others = []
    try:
        for _ in range(helpers):
            others.append(_helpers().submit(work))
    except RuntimeError:  # no further thread can be started: those that run do all
        pass
    try:
        work()
    finally:
        begun = [other for other in others if not other.cancel()]
        wait(begun)
    for other in begun:
        other.result()


def counters_for(phases: int) -> numpy.ndarray:
    """Return the counters that a kernel of a number of phases starts with."""
    return numpy.zeros(2 * LINE * phases, numpy.int64)


def _address(context, builder, signature, arguments):
    counters = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(counters.data, [arguments[1]])


@intrinsic
def _count_up(typing_context, counters, place):
    def code(context, builder, signature, arguments):
        address = _address(context, builder, signature, arguments)
        return builder.atomic_rmw("add", address, ir.Constant(ir.IntType(64), 1), "seq_cst")

    return int64(counters, types.int64), code


@intrinsic
def _look_at(typing_context, counters, place):
    def code(context, builder, signature, arguments):
        address = _address(context, builder, signature, arguments)
        return builder.load_atomic(address, "acquire", 8)

    return int64(counters, types.int64), code


@intrinsic
def _yield_core(typing_context):
    def code(context, builder, signature, arguments):
        kind = ir.FunctionType(ir.IntType(32), [])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, YIELD), [])

    return types.int32(), code


@njit(**INNER)
def next_block(counters, phase):
    """Take the next block of a phase that no thread has taken.

    Parameters
    ----------
    counters : int64 array
        See `counters_for`.
    phase : int

    Returns
    -------
    block : int
        From 0; the number of blocks, or more, when all are taken.
    """
    return _count_up(counters, 2 * LINE * phase)


@njit(**INNER)
def block_done(counters, phase):
    """Count a block of a phase as done."""
    _count_up(counters, 2 * LINE * phase + LINE)


@njit(**INNER)
def wait_until_done(counters, phase, blocks):
    """Wait until all blocks of a phase are done."""
    looks = 0
    while _look_at(counters, 2 * LINE * phase + LINE) < blocks:
        looks += 1
        if looks > LOOKS_BEFORE_YIELDING:
            _yield_core()
