"""Launch CUDA kernels."""

from functools import cache

import numpy

from kvnet.kernels.cuda.parts.compile import kernel, parameters
from kvnet.kernels.cuda.parts.constants import THREADS

SHARED_BYTES = 47 << 10  # of the 48 KiB per block that every GPU has; sums need the rest


def launch(
    xp, dtype, name: str, grid, /, *, shared_size: int = 0, threads: int = THREADS, **arguments
) -> None:
    """Launch a kernel.

    Parameters
    ----------
    xp : module
        Array module.
    dtype : numpy dtype
        Of the kernel's floats.
    name : str
    grid : int or tuple of int
        Blocks.
    shared_size : int
        Floats of shared memory per block.
    threads : int
        Threads per block.
    **arguments
        All arguments of the kernel, by the names of its parameters: contiguous arrays, NumPy
        scalars of the kernel's types, Python integers (int32) and floats (`dtype`).
    """
    names, real, bytes_each, function = _known(xp, dtype, name)
    if arguments.keys() != names.keys():
        wrong = sorted(arguments.keys() ^ names.keys())
        raise TypeError(f"{name} takes {', '.join(names)}; missing or unknown: {wrong}")
    scalars = {int: numpy.int32, bool: numpy.int32, float: real}
    values = [arguments[parameter] for parameter in names]
    values = tuple(scalars[type(v)](v) if type(v) in scalars else v for v in values)
    grid = grid if isinstance(grid, tuple) else (grid,)
    function(grid, (threads,), values, shared_mem=shared_size * bytes_each)


@cache
def _known(xp, dtype, name):
    """Return what every launch of a kernel needs, so that the host stays ahead of the device."""
    dtype = numpy.dtype(dtype)
    names = dict.fromkeys(parameters()[name])
    return names, dtype.type, dtype.itemsize, kernel(xp, dtype, name)


def numbered(groups: list[dict], count: int) -> dict:
    """Return groups of arguments by numbered names: ``X0, Y0, .., X1, Y1, ..``.

    Parameters
    ----------
    groups : list of dict
        With the same names. The first one also fills those that a launch does not use.
    count : int
        Groups of the kernel.
    """
    filled = [*groups, *groups[:1] * (count - len(groups))]
    return {f"{name}{n}": value for n, one in enumerate(filled) for name, value in one.items()}


def fits_shared_memory(size: int, dtype) -> bool:
    """Return whether a block has shared memory for a number of floats."""
    return size * numpy.dtype(dtype).itemsize <= SHARED_BYTES


def blocks_for(count: int, per_block: int = THREADS) -> int:
    """Return the number of blocks that cover `count` elements."""
    return -(-count // per_block)


def as_int32(xp, array):
    """Return row indices, word ids or a mask as the kernels take them: int32, contiguous."""
    return xp.ascontiguousarray(array, "int32")
