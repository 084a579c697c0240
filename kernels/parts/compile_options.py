"""How kernels are compiled, and the removal of compiled files that are out of date."""

from contextlib import suppress
from pathlib import Path

import numpy

from kvnet import counter_random

# The NumPy error model divides without a test for zero, which would prevent vector instructions.
# Helpers are always inlined. Otherwise each kernel would bring its own copy of a helper, and which
# copy runs, and so how it rounds, would depend on what was compiled now and what was cached.
OPTIONS = {
    "cache": True,
    "error_model": "numpy",
    "fastmath": True,
    "forceinline": True,
    "nogil": True,
}
# For functions that only kernels call: an entry from Python takes long to compile for many arrays.
INNER = OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
NOT_INLINED = OPTIONS | {"forceinline": False}
INNER_NOT_INLINED = INNER | {"forceinline": False}


def forget_outdated(sources: list[Path], compiled: list[Path]) -> None:
    """Delete compiled files that are older than the newest source.

    Numba compiles a kernel again when its own file changes, but not when the file of a helper or of
    a constant does.
    """
    newest = max(source.stat().st_mtime_ns for source in sources)
    for path in compiled:
        with suppress(OSError):  # already deleted, or another user's
            if path.stat().st_mtime_ns < newest:
                path.unlink()


def _files(folders, pattern):
    return [path for folder in folders for path in folder.glob(pattern)]


_LIBRARY, _PARTS = Path(counter_random.__file__).parent, Path(__file__).parent
_KERNELS = [_PARTS.parent, _PARTS]
SOURCES = _files([*_KERNELS, _LIBRARY, _LIBRARY / "operations", _LIBRARY / "updates"], "*.py")
forget_outdated(SOURCES, _files(_KERNELS, "__pycache__/*.nb[ci]"))


def as_int32(array):
    """Return row indices or word ids as int32, the one integer dtype that kernels compile for."""
    return numpy.ascontiguousarray(array, numpy.int32)
