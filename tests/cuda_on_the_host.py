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
    assert shared_mem <= 48 << 10, f"{name}: {shared_mem} bytes of shared memory"
    outcomes = [_run(function, name, grid, block, held, shared_mem, way) for way in (0, 1)]
    before = [a.tobytes() for a in held]  # an array may be given twice
    for n, (a, first, second) in enumerate(zip(held, *outcomes, strict=True)):
        if isinstance(a, numpy.ndarray):
            same = first.tobytes() == second.tobytes()
            assert same, f"{name}: argument {n} hangs on the order of the threads"
            if first.tobytes() != before[n]:
                a[...] = first


def _run(function, name, grid, block, arguments, shared, backwards):
    fenced, places, codes = [], [], []
    for a in arguments:
        if isinstance(a, numpy.ndarray):
            fill = numpy.nan if a.dtype.kind == "f" else a.dtype.type(1) * 77
            memory = numpy.full(a.size + 2 * FENCE, fill, a.dtype)
            memory[FENCE : FENCE + a.size] = a.reshape(-1)
            fenced.append(memory)
            places.append(ctypes.c_void_p(memory.ctypes.data + FENCE * a.itemsize))
            codes.append(f"*{a.dtype.kind}{a.itemsize}")
        else:
            memory = numpy.array([a])
            fenced.append(memory)
            places.append(memory)
            codes.append(f"{memory.dtype.kind}{memory.itemsize}")
    pointers = [
        p.ctypes.data if isinstance(p, numpy.ndarray) else ctypes.addressof(p) for p in places
    ]
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
    results = []
    for n, (a, memory) in enumerate(zip(arguments, fenced, strict=True)):
        if not isinstance(a, numpy.ndarray):
            results.append(a)
            continue
        for fence in (memory[:FENCE], memory[FENCE + a.size :]):
            blank = numpy.isnan(fence) if a.dtype.kind == "f" else fence == fence.dtype.type(77)
            if a.dtype.kind == "b":
                blank = fence
            assert blank.all(), f"{name}: argument {n} is written outside of the array"
        results.append(memory[FENCE : FENCE + a.size].reshape(a.shape))
    return results
