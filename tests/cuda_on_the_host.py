"""CUDA kernels compiled for the processor by g++, behind the interface of `cupy.RawModule`.

Every launch runs twice, with threads and blocks in opposite orders, on copies of its arrays that
are fenced in: a race, a barrier that not all threads reach, or a number written outside of an array
is an AssertionError.
"""

import ctypes
import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy

SHIM = Path(__file__).with_suffix(".h")
KERNEL = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\(\w+\)\s+)?(\w+)\(')
FENCE = 64  # numbers before and after an array
COMPILER = shutil.which("g++")
WHY_NOT = "no g++ to compile CUDA sources for the processor"


@functools.cache
def _folder():
    return tempfile.TemporaryDirectory(prefix="kvnet-cuda-")


@functools.cache
def _compiled(code, options):
    names = KERNEL.findall(code)
    launchers = [
        f'extern "C" int launch_{name}(void **a, const char **k, int n, const unsigned *g, '
        f"const unsigned *b, size_t s, int w) "
        f"{{ return host::launch({name}, a, k, n, g, b, s, w); }}"
        for name in names
    ]
    number = len(list(Path(_folder().name).glob("*.cpp")))
    path = Path(_folder().name, f"module{number}.cpp")
    path.write_text("\n".join([f'#include "{SHIM}"', code, *launchers]))
    library = path.with_suffix(".so")
    defines = [option for option in options if option.startswith("-D")]
    command = [
        COMPILER,
        "-std=c++17",
        "-O1",
        "-U_FORTIFY_SOURCE",  # which takes a jump to another stack for an error
        "-shared",
        "-fPIC",
        "-w",
        *defines,
        path,
        "-o",
        library,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library)), names


class HostModule:
    """What `cupy.RawModule` is, on the processor."""

    def __init__(self, code, options=()):
        self._library, self._names = _compiled(code, tuple(options))

    def get_function(self, name):
        assert name in self._names, f"{name} is none of the kernels {self._names}"
        return functools.partial(_launch, getattr(self._library, f"launch_{name}"), name)


def _launch(function, name, grid, block, arguments, shared_mem=0):
    held = [getattr(a, "held", a) for a in arguments]
    for n, a in enumerate(held):
        assert isinstance(a, numpy.ndarray | numpy.generic), f"{name}: argument {n} is {type(a)}"
        if isinstance(a, numpy.ndarray):
            assert a.flags.c_contiguous, f"{name}: argument {n} is not contiguous"
    assert numpy.prod(block) <= 1024 and numpy.prod(block) % 32 == 0, f"{name}: block {block}"
    assert all(size > 0 for size in (*grid, *block)), f"{name}: grid {grid}"
    assert shared_mem <= 47 << 10, f"{name}: {shared_mem} bytes of shared memory"
    wholes = {id(whole): whole for whole in map(_whole, held) if whole is not None}
    outcomes = [_run(function, name, grid, block, held, wholes, shared_mem, way) for way in (0, 1)]
    for key, whole in wholes.items():
        first, second = (outcome[key] for outcome in outcomes)
        same = first.tobytes() == second.tobytes()
        given = [n for n, a in enumerate(held) if _whole(a) is whole]
        assert same, f"{name}: what arguments {given} stand in hangs on the order of the threads"
        if first.tobytes() != whole.tobytes():
            whole[...] = first


def _whole(array):
    """Return the array that an argument is a part of: a kernel may go on from its first number."""
    if not isinstance(array, numpy.ndarray):
        return None
    whole = array
    while isinstance(whole.base, numpy.ndarray) and whole.base.dtype == array.dtype:
        whole = whole.base
    return whole if whole.flags.c_contiguous else array


def _run(function, name, grid, block, arguments, wholes, shared, backwards):
    fenced, places, codes, pointers = {}, [], [], []
    for key, whole in wholes.items():
        fill = numpy.nan if whole.dtype.kind == "f" else whole.dtype.type(1) * 77
        fenced[key] = numpy.full(whole.size + 2 * FENCE, fill, whole.dtype)
        fenced[key][FENCE : FENCE + whole.size] = whole.reshape(-1)
    numbers = [numpy.array(a) for a in arguments]  # kept as long as their addresses are used
    for a, number in zip(arguments, numbers, strict=True):
        whole = _whole(a)
        if whole is None:
            codes.append(f"{number.dtype.kind}{number.itemsize}")
            pointers.append(number.ctypes.data)
        else:
            codes.append(f"*{a.dtype.kind}{a.itemsize}")
            offset = a.ctypes.data - whole.ctypes.data
            address = fenced[id(whole)].ctypes.data + FENCE * a.itemsize + offset
            places.append(ctypes.c_void_p(address))
            pointers.append(ctypes.addressof(places[-1]))
    count = len(arguments)
    outcome = function(
        (ctypes.c_void_p * count)(*pointers),
        (ctypes.c_char_p * count)(*(code.encode() for code in codes)),
        count,
        (ctypes.c_uint * 3)(*grid, *[1] * (3 - len(grid))),
        (ctypes.c_uint * 3)(*block, *[1] * (3 - len(block))),
        ctypes.c_size_t(shared),
        backwards,
    )
    assert outcome != 1, f"{name}: some threads wait at a barrier that others never reach"
    assert outcome < 1000, f"{name}: takes {outcome - 1000} arguments, got {count}"
    assert outcome == 0, f"{name}: argument {outcome - 2} is {codes[outcome - 2]}"
    outcomes = {}
    for key, whole in wholes.items():
        memory = fenced[key]
        for fence in (memory[:FENCE], memory[FENCE + whole.size :]):
            blank = numpy.isnan(fence) if whole.dtype.kind == "f" else fence == fence.dtype.type(77)
            if whole.dtype.kind == "b":
                blank = fence
            assert blank.all(), f"{name}: something is written outside of an array"
        outcomes[key] = memory[FENCE : FENCE + whole.size].reshape(whole.shape)
    return outcomes
