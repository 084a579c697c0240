"""Uniform random numbers, four per thread."""

from math import prod

from kvnet.kernels.cuda.parts.constants import THREADS
from kvnet.kernels.cuda.parts.launch import blocks_for, launch
from kvnet.kernels.cuda.parts.philox import philox_key, purpose_number


def uniform(xp, seed, purpose, step, shape, dtype):
    """CUDA form of `kvnet.operations.uniform`, with the same bits.

    Parameters and returns: see there; the step may also be a scalar int64 array.
    """
    u, count = xp.empty(shape, dtype), prod(shape)
    arguments = {"purpose": purpose_number(purpose), **philox_key(seed), "u": u, "count": count}
    arguments["step"] = step if isinstance(step, xp.ndarray) else xp.full((), step, "int64")
    launch(xp, dtype, "uniform", blocks_for(count, 4 * THREADS), **arguments)
    return u
