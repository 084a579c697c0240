"""How CUDA sources become kernels, and how they are launched."""

from functools import cache
from pathlib import Path

import numpy

SOURCES = (  # later ones use earlier ones
    "common",
    "philox",
    "sums",
    "noisy_adam",
    "descent",
    "spectral_sgd",
    "dropout",
    "embedding_sum",
    "gather",
    "products",
    "cross_entropy",
    "key_value_hops_by_row",
    "by_sentence",
    "by_slot",
    "slot_hops",
    "slots_with_times",
    "gru",
    "step",
)
THREADS = 256  # of a block: several questions or rows of a matrix are worked on side by side
SHARED_BYTES = 47 << 10  # of 48 KiB that a block has without being asked; sums take some
C_TYPES = {"float32": "float", "float64": "double"}


def source() -> str:
    """Return all kernels as one source, in ASCII: a compiler may be given it in any encoding."""
    folder = Path(__file__).parent
    text = "\n".join((folder / f"{name}.cu").read_text(encoding="utf-8") for name in SOURCES)
    return text.encode("ascii", "replace").decode("ascii")


def options(dtype) -> tuple[str, ...]:
    """Return the compiler's options for kernels on numbers of a dtype."""
    return "--std=c++17", f"-DREAL={C_TYPES[numpy.dtype(dtype).name]}"


@cache
def _module(xp, dtype):
    return xp.RawModule(code=source(), options=options(dtype))


@cache
def _kernel(xp, dtype, name):
    return _module(xp, dtype).get_function(name)


def launch(
    xp, dtype, name: str, grid, arguments, shared_numbers: int = 0, threads: int = THREADS
) -> None:
    """Run a kernel.

    Parameters
    ----------
    xp : module
        Array module.
    dtype : numpy dtype
        Of the kernel's floats.
    name : str
    grid : int or tuple of int
        Blocks.
    arguments : sequence
        Contiguous arrays; Python's whole numbers become int32, its floats of `dtype`; others as
        NumPy scalars of the kernel's own types.
    shared_numbers : int
        Floats of shared memory.
    threads : int
        Of a block.
    """
    dtype = numpy.dtype(dtype)
    given = [_scalar(a, dtype) for a in arguments]
    grid = grid if isinstance(grid, tuple) else (grid,)
    shared = shared_numbers * dtype.itemsize
    _kernel(xp, dtype, name)(grid, (threads,), given, shared_mem=shared)


def _scalar(value, dtype):
    if isinstance(value, numpy.generic):  # numpy.float64 is a float, too
        return value
    if isinstance(value, int):
        return numpy.int32(value)
    return dtype.type(value) if isinstance(value, float) else value


def blocks(count: int, each: int = THREADS) -> int:
    """Return how many blocks of so many make up a count."""
    return -(-count // each)


def numbers(xp, array):
    """Return rows or words as the kernels take them: int32, in a row."""
    return xp.ascontiguousarray(array, "int32")
