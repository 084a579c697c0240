"""Launch CUDA kernels."""

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
    dtype, names = numpy.dtype(dtype), parameters()[name]
    if wrong := arguments.keys() ^ names:
        raise TypeError(f"{name} takes {', '.join(names)}; missing or unknown: {sorted(wrong)}")
    values = tuple(_as_scalar(arguments[parameter], dtype) for parameter in names)
    grid = grid if isinstance(grid, tuple) else (grid,)
    shared_bytes = shared_size * dtype.itemsize
    kernel(xp, dtype, name)(grid, (threads,), values, shared_mem=shared_bytes)


def _as_scalar(value, dtype):
    if isinstance(value, numpy.generic):  # numpy.float64 is a float, too
        return value
    if isinstance(value, int):
        return numpy.int32(value)
    return dtype.type(value) if isinstance(value, float) else value


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
