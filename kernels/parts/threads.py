"""Threads that share out numbered pieces of work and meet when all are done, inside one kernel.

Numba's own parallel loop wakes its threads anew each time, which takes as long as a small step of
training, and compiles its body four times. Here all threads run the same kernel and go from phase
to phase. None is ever waited for to begin: those that are there take all pieces, so that a thread
that comes late, or never, holds up nobody. Which thread does a piece leaves no trace in the result:
the pieces are the same for any number.
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

LINE = 8  # counters stand a cache line apart
LOOKS_BEFORE_YIELDING = 2000  # a microsecond or two
YIELD = "SwitchToThread" if os.name == "nt" else "sched_yield"  # the core to whoever needs it


@cache
def _helpers():
    return ThreadPoolExecutor(max_workers=os.cpu_count())


def run_together(kernel: Callable, *arguments) -> None:
    """Call a kernel on all threads that kernels may take, with the same arguments.

    Parameters
    ----------
    kernel : callable
        Compiled without the interpreter's lock. It takes its share with `next_piece`; `meet` is for
        all phases but the last, after which all threads are waited for here.
    arguments
    """
    others = [_helpers().submit(kernel, *arguments) for _ in range(get_num_threads() - 1)]
    kernel(*arguments)
    for other in others:
        other.result()


def counters_for(phases: int) -> numpy.ndarray:
    """Return what `next_piece` and `meet` count in, at the start of a kernel of so many phases."""
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
def next_piece(counters, phase):
    """Take the next piece of a phase that nobody has taken.

    Parameters
    ----------
    counters : int64 array
        See `counters_for`.
    phase : int

    Returns
    -------
    piece : int
        From 0 on; as many as there are or more when all are taken.
    """
    return _count_up(counters, 2 * LINE * phase)


@njit(**INNER)
def piece_done(counters, phase):
    """Say that a piece of a phase is done."""
    _count_up(counters, 2 * LINE * phase + LINE)


@njit(**INNER)
def meet(counters, phase, pieces):
    """Wait until all pieces of a phase are done."""
    looks = 0
    while _look_at(counters, 2 * LINE * phase + LINE) < pieces:
        looks += 1
        if looks > LOOKS_BEFORE_YIELDING:
            _yield_core()
