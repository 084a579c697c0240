"""Compile the CUDA sources, and read the parameters of their kernels."""

import re
from functools import cache
from pathlib import Path

import numpy

from kvnet.kernels.cuda.parts import constants

FOLDER = Path(__file__).parent.parent
C_TYPES = {"float32": "float", "float64": "double"}
INCLUDE = re.compile(r'#include "(.+)"')
KERNEL = re.compile(
    r'extern "C" __global__ void\s+(?:__launch_bounds__\([\w, ]+\)\s+)?(\w+)\((.*?)\) \{', re.DOTALL
)
PARAMETER = re.compile(r"(\w+)\(PARAMETER\)|(\w+)(?:,|$)")  # a group of parameters, or one
REPEAT = re.compile(r"REPEAT\((\w+), (\w+), FIELD\)")


@cache
def source() -> str:
    """Return all CUDA files as one source: each file once, after those that it includes.

    The source is ASCII, since a compiler may read it in any encoding.
    """
    lines, added = [], set()

    def add(path):
        if path in added:
            return
        added.add(path)
        for line in path.read_text(encoding="utf-8").splitlines():
            if include := INCLUDE.fullmatch(line):
                add(FOLDER / include[1])
            else:
                lines.append(line)

    for path in sorted(FOLDER.rglob("*.cu")):
        add(path)
    return "\n".join(lines).encode("ascii", "replace").decode("ascii")


def options(dtype) -> tuple[str, ...]:
    """Return the compiler's options for kernels that compute in a dtype."""
    macros = {"REAL": C_TYPES[numpy.dtype(dtype).name]}
    macros |= {name: value for name, value in vars(constants).items() if name.isupper()}
    return "--std=c++17", *(f"-D{name}={value}" for name, value in macros.items())


@cache
def kernel(xp, dtype, name: str):
    """Return a compiled kernel."""
    return _module(xp, dtype).get_function(name)


@cache
def _module(xp, dtype):
    return xp.RawModule(code=source(), options=options(dtype))


@cache
def parameters() -> dict[str, tuple[str, ...]]:
    """Return the names of each kernel's parameters, in their order."""
    return {
        kernel: tuple(
            name
            for group, parameter in PARAMETER.findall(text)
            for name in (fields(group) if group else [parameter])
        )
        for kernel, text in KERNEL.findall(source())
    }


def fields(group: str) -> tuple[str, ...]:
    """Return the names of a group of parameters, a macro that lists ``FIELD(type, name)``."""
    body = re.search(rf"#define {group}\(FIELD.*?\)((?:.*\\\n)*.*)", source())[1]
    if repeat := REPEAT.search(body):
        count, repeated = getattr(constants, repeat[1]), fields(repeat[2])
        return tuple(f"{name}{n}" for n in range(count) for name in repeated)
    return tuple(re.findall(r"FIELD\([^,]+, (\w+?)(?:##\w)?\)", body))
