"""Helpers of the kernels: threads in phases, vector mathematics, the cache of compiled files."""

import ast
import os
from importlib.util import find_spec
from pathlib import Path

import numpy
import pytest
from numba import njit

from kvnet import kernels
from kvnet.kernels import kernel_threads
from kvnet.kernels.parts.compile_options import SOURCES, forget_outdated
from kvnet.kernels.parts.threads import (
    block_done,
    next_block,
    run_on_all_threads,
    wait_until_done,
)
from kvnet.kernels.parts.vector_math import cosine_and_sine, exp, log


@njit(nogil=True)
def _sum_in_phases(counters, values, sums):
    for phase in range(len(sums)):
        block = next_block(counters, phase)
        while block < len(values):
            # The other blocks of the phase before must be done.
            values[block] = phase + (sums[phase - 1].sum() if phase else 0)
            sums[phase, block] = values[block]
            block_done(counters, phase)
            block = next_block(counters, phase)
        wait_until_done(counters, phase, len(values))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_phase_begins_when_the_phase_before_has_ended(threads):
    sums = numpy.zeros((20, 7), numpy.int64)
    with kernel_threads(threads):
        values = numpy.zeros(7, numpy.int64)
        run_on_all_threads(_sum_in_phases, 7, values, sums, phases=len(sums))
    total = 0
    for phase, row in enumerate(sums.tolist()):
        assert set(row) == {phase + total}
        total = sum(row)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vector_math(dtype):
    @njit(error_model="numpy")
    def compute(x, u, to):
        for n in range(len(x)):
            to[0, n], to[1, n] = exp(x[n]), log(u[n])
            to[2, n], to[3, n] = cosine_and_sine(u[n])

    x = numpy.linspace(-85, 85, 20_001).astype(dtype)
    u = numpy.linspace(2.0**-24, 1 - 2.0**-24, 20_001).astype(dtype)
    to = numpy.empty((4, len(x)), dtype)
    compute(x, u, to)
    exact_x, angle = x.astype("float64"), 2 * numpy.pi * u.astype("float64")
    tolerance = {"float32": 4e-7, "float64": 1e-15}[dtype]
    assert abs(to[0] / numpy.exp(exact_x) - 1).max() < tolerance
    assert abs(to[1] - numpy.log(u.astype("float64"))).max() < 4 * tolerance
    assert abs(to[2] - numpy.cos(angle)).max() < tolerance
    assert abs(to[3] - numpy.sin(angle)).max() < tolerance
    compute(numpy.full(1, -1e4, dtype), u, to)
    assert 0 <= to[0, 0] < 1e-37


def test_forget_outdated_deletes_what_is_older_than_the_newest_source(tmp_path):
    paths = [tmp_path / name for name in ("old.nbi", "helper.py", "new.nbc", "gone.nbi")]
    for age, path in enumerate(paths[:3]):
        path.touch()
        os.utime(path, (1000 + age, 1000 + age))
    forget_outdated(paths[1:2], [paths[0], *paths[2:]])
    assert [path.exists() for path in paths[:3]] == [False, True, True]


def test_the_files_that_kernels_import_are_sources():
    sources = {path.resolve() for path in SOURCES}
    folder = Path(kernels.__file__).parent.resolve()
    files = [*folder.glob("*.py"), *folder.glob("parts/*.py")]
    assert set(files) <= sources
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("kvnet."):
                assert Path(find_spec(node.module).origin).resolve() in sources, node.module
