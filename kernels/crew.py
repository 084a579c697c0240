"""Threads that share out numbered pieces of work and meet when all are done, inside one kernel.

Numba's own parallel loop wakes its threads anew each time, which takes as long as a small step of
training. Here threads started once go from phase to phase. None is ever waited for to begin: those
that are there take all pieces, so that a thread that comes late, or never, holds up nobody.
Which thread does a piece leaves no trace in the result: the pieces are the same for any number.
"""

import os

from llvmlite import ir
from numba import int64, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from kvnet.kernels.compilation import OPTIONS

LINE = 8  # counters stand a cache line apart
LOOKS_BEFORE_YIELDING = 2000  # a microsecond or two
YIELD = "SwitchToThread" if os.name == "nt" else "sched_yield"  # the core to whoever needs it


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


@njit(**OPTIONS)
def next_piece(counters, phase):
    """Take the next piece of a phase that nobody has taken.

    Parameters
    ----------
    counters : (2 phases LINE,) int64 array
        Zero at first.
    phase : int

    Returns
    -------
    piece : int
        From 0 on; as many as there are or more when all are taken.
    """
    return _count_up(counters, 2 * LINE * phase)


@njit(**OPTIONS)
def piece_done(counters, phase):
    """Say that a piece of a phase is done."""
    _count_up(counters, 2 * LINE * phase + LINE)


@njit(**OPTIONS)
def meet(counters, phase, pieces):
    """Wait until all pieces of a phase are done."""
    looks = 0
    while _look_at(counters, 2 * LINE * phase + LINE) < pieces:
        looks += 1
        if looks > LOOKS_BEFORE_YIELDING:
            _yield_core()
