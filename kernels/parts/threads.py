"""Threads that share the blocks of a kernel's work, and synchronise after each of its phases.

Numba's own parallel loop starts its threads for every loop, which takes as long as a small training
step, and compiles its body four times. Here all threads run the same kernel from phase to phase. No
thread waits until another one begins: those that run take all blocks, so a thread that comes late,
or never, delays no other. The blocks are the same for any number of threads, and results do not
depend on which thread does a block.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy
from llvmlite import ir
from numba import get_num_threads, int64, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from kvnet.kernels.parts.compile_options import INNER

LINE = 8  # counters are a cache line apart
LOOKS_BEFORE_YIELDING = 2000  # a microsecond or two
YIELD = "SwitchToThread" if os.name == "nt" else "sched_yield"  # gives the core to another thread


@cache
def _helpers():
    return ThreadPoolExecutor(max_workers=os.cpu_count())


if hasattr(os, "register_at_fork"):  # a forked process has none of the threads: it starts its own
    os.register_at_fork(after_in_child=_helpers.cache_clear)


def run_on_all_threads(kernel: Callable, *arguments) -> None:
    """Call a kernel on every thread that kernels may use, and return when all have returned.

    Parameters
    ----------
    kernel : callable
        Compiled with ``nogil``. It takes its share of the blocks with `next_block`.
    arguments
    """
    others = [_helpers().submit(kernel, *arguments) for _ in range(get_num_threads() - 1)]
    kernel(*arguments)
    for other in others:
        other.result()


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
    """
    results, numbers = [None] * count, iter(range(count))

    def work():
        for number in numbers:  # all threads take from one iterator
            results[number] = function(number)

    threads = min(get_num_threads(), count)
    others = [_helpers().submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        other.result()
    return results


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
