"""CUDA kernels compiled as C++ for the CPU, with the interface of `cupy.RawModule`.

Every launch runs twice, with threads and blocks in opposite orders, on copies of its arrays between
guard zones. A race, a barrier that not all threads reach, or a write outside of an array is an
AssertionError.
"""

import ctypes
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy

from kvnet.kernels.cuda.parts.compile import KERNEL

HEADER = Path(__file__).with_suffix(".h")
GUARD = 64  # elements before and after an array
COMPILER = shutil.which("g++")
WHY_NOT = "no g++ to compile CUDA sources for the CPU"
FLAGS = [
    "-O1",
    "-U_FORTIFY_SOURCE",  # which reports a jump to another stack as an error
    "-shared",
    "-fPIC",
    "-w",
]


@functools.cache
def _folder():
    return tempfile.TemporaryDirectory(prefix="kvnet-cuda-")


@functools.cache
def _compile(code, options):
    names = [name for name, _ in KERNEL.findall(code)]
    launchers = [
        f'extern "C" int launch_{name}(void **a, const char **k, int n, const unsigned *g, '
        f"const unsigned *b, size_t s, int r) "
        f"{{ return host::launch({name}, a, k, n, g, b, s, r); }}"
        for name in names
    ]
    number = len(list(Path(_folder().name).glob("*.cpp")))
    path = Path(_folder().name, f"module{number}.cpp")
    # A namespace without a name, since modules of both dtypes are loaded together.
    path.write_text("\n".join([f'#include "{HEADER}"', "namespace {", code, "}", *launchers]))
    library = path.with_suffix(".so")
    done = subprocess.run(
        [COMPILER, *options, *FLAGS, path, "-o", library], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library)), names


class HostModule:
    """The equivalent of `cupy.RawModule` on the CPU."""

    def __init__(self, code, options=()):
        self._library, self._names = _compile(code, tuple(options))

    def get_function(self, name):
        assert name in self._names, f"{name} is not one of the kernels {self._names}"
        return functools.partial(_launch, getattr(self._library, f"launch_{name}"), name)


def _launch(function, name, grid, block, arguments, shared_mem=0):
    values = [getattr(a, "held", a) for a in arguments]
    for n, a in enumerate(values):
        assert isinstance(a, numpy.ndarray | numpy.generic), f"{name}: argument {n} is {type(a)}"
        if isinstance(a, numpy.ndarray):
            assert a.flags.c_contiguous, f"{name}: argument {n} is not contiguous"
    assert numpy.prod(block) <= 1024 and numpy.prod(block) % 32 == 0, f"{name}: block {block}"
    assert all(size > 0 for size in (*grid, *block)), f"{name}: grid {grid}"
    assert shared_mem <= 47 << 10, f"{name}: {shared_mem} bytes of shared memory"
    wholes = {id(whole): whole for whole in map(_whole, values) if whole is not None}
    first, second = (
        _run(function, name, grid, block, values, wholes, shared_mem, in_reverse)
        for in_reverse in (0, 1)
    )
    for key, whole in wholes.items():
        same = first[key].tobytes() == second[key].tobytes()
        numbers = [n for n, a in enumerate(values) if _whole(a) is whole]
        assert same, f"{name}: the array of arguments {numbers} depends on the order of threads"
        if first[key].tobytes() != whole.tobytes():
            whole[...] = first[key]


def _whole(array):
    """Return the array that an argument is a part of: a kernel may use what follows the part."""
    if not isinstance(array, numpy.ndarray):
        return None
    whole = array
    while isinstance(whole.base, numpy.ndarray) and whole.base.dtype == array.dtype:
        whole = whole.base
    return whole if whole.flags.c_contiguous else array


def _run(function, name, grid, block, arguments, wholes, shared, in_reverse):
    guarded, addresses, codes, pointers = {}, [], [], []
    for key, whole in wholes.items():
        fill = numpy.nan if whole.dtype.kind == "f" else whole.dtype.type(1) * 77
        guarded[key] = numpy.full(whole.size + 2 * GUARD, fill, whole.dtype)
        guarded[key][GUARD : GUARD + whole.size] = whole.reshape(-1)
    copies = [numpy.array(a) for a in arguments]  # they must live as long as their addresses
    for a, copy in zip(arguments, copies, strict=True):
        whole = _whole(a)
        if whole is None:
            codes.append(f"{copy.dtype.kind}{copy.itemsize}")
            pointers.append(copy.ctypes.data)
        else:
            codes.append(f"*{a.dtype.kind}{a.itemsize}")
            offset = a.ctypes.data - whole.ctypes.data
            address = guarded[id(whole)].ctypes.data + GUARD * a.itemsize + offset
            addresses.append(ctypes.c_void_p(address))
            pointers.append(ctypes.addressof(addresses[-1]))
    count = len(arguments)
    status = function(
        (ctypes.c_void_p * count)(*pointers),
        (ctypes.c_char_p * count)(*(code.encode() for code in codes)),
        count,
        (ctypes.c_uint * 3)(*grid, *[1] * (3 - len(grid))),
        (ctypes.c_uint * 3)(*block, *[1] * (3 - len(block))),
        ctypes.c_size_t(shared),
        in_reverse,
    )
    assert status != 1, f"{name}: some threads wait at a barrier that others never reach"
    assert status < 1000, f"{name}: takes {status - 1000} arguments, got {count}"
    assert status == 0, f"{name}: argument {status - 2} is {codes[status - 2]}"
    results = {}
    for key, whole in wholes.items():
        memory = guarded[key]
        for guard in (memory[:GUARD], memory[GUARD + whole.size :]):
            blank = numpy.isnan(guard) if whole.dtype.kind == "f" else guard == guard.dtype.type(77)
            if whole.dtype.kind == "b":
                blank = guard
            assert blank.all(), f"{name}: a write outside of an array"
        results[key] = memory[GUARD : GUARD + whole.size].reshape(whole.shape)
    return results
