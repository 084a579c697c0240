"""Helpers of the kernels: threads in phases, vector mathematics, the cache of compiled files."""

import ast
import errno
import hashlib
import os
import pickle
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest
from numba import njit

from kvnet import kernels
from kvnet.kernels import kernel_threads
from kvnet.kernels.parts import compile_cache, threads
from kvnet.kernels.parts.compile_cache import SOURCES
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


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_phase_begins_when_the_phase_before_has_ended(count):
    sums = numpy.zeros((20, 7), numpy.int64)
    with kernel_threads(count):
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


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A function that compiles a kernel, as another process would, with its cache in a folder."""
    monkeypatch.setattr(compile_cache, "_folder_for", lambda function: tmp_path)

    def twice(x):
        return 2 * x

    def compile_again():
        kernel = compile_cache.njit()(twice)
        assert kernel(21) == 42
        return kernel

    return compile_again


def test_a_kernel_is_loaded_from_the_cache(kept, tmp_path, monkeypatch):
    kept()
    (file,) = tmp_path.iterdir()
    monkeypatch.setattr(compile_cache.KernelCache, "save_overload", None)  # would be called
    kept()
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "one bit", "foreign pickle"])
def test_a_damaged_cache_file_is_replaced(kept, tmp_path, damage):
    kept()
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    payload = pickle.dumps("not a kernel")
    file.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "empty": b"",
            "garbage": b"\0" * 1000,
            "one bit": content[:-1] + bytes([content[-1] ^ 1]),
            "foreign pickle": hashlib.sha256(payload).digest() + payload,
        }[damage]
    )
    kept()
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert hashlib.sha256(file.read_bytes()[32:]).digest() == file.read_bytes()[:32]
    assert len(file.read_bytes()) > 1000


def test_a_full_disk_is_said_once_and_leaves_nothing(kept, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    compile_cache._say_not_kept.cache_clear()
    with pytest.warns(UserWarning, match="cannot be kept .*No space left on device.*NUMBA_CACHE"):
        kept()
    kept()  # a second warning would be an error
    assert not list(tmp_path.iterdir())


def test_without_a_folder_to_write_to_kernels_compile_and_it_is_said_once(kept, monkeypatch):
    monkeypatch.setattr(compile_cache, "_folder_for", lambda function: None)
    compile_cache._say_not_kept.cache_clear()
    with pytest.warns(UserWarning, match="neither next to the sources nor in the home folder"):
        kept()
    kept()


def test_kernels_of_earlier_sources_are_deleted(kept, tmp_path, monkeypatch):
    kept()
    (old,) = tmp_path.iterdir()
    monkeypatch.setattr(compile_cache, "_digest_of_sources", lambda: "others")
    kept()
    (new,) = tmp_path.iterdir()
    assert new != old


def test_the_files_that_kernels_import_are_sources():
    sources = {path.resolve() for path in SOURCES}
    folder = Path(kernels.__file__).parent.resolve()
    files = [*folder.glob("*.py"), *folder.glob("parts/*.py")]
    assert set(files) <= sources
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("kvnet."):
                assert Path(find_spec(node.module).origin).resolve() in sources, node.module


@njit(nogil=True)
def _fill_the_memory(counters, sizes, sums):
    """Allocate in each block of each phase; the second block of phase 1 is too large."""
    for phase in range(len(sums)):
        block = next_block(counters, phase)
        while block < len(sizes):
            size = sizes[block] if phase == 1 else 1
            sums[phase, block] = numpy.ones(size).sum()
            block_done(counters, phase)
            block = next_block(counters, phase)
        wait_until_done(counters, phase, len(sizes))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_block_that_runs_out_of_memory_ends_all_threads(count):
    sizes, sums = numpy.array([1, 2**58, 1, 1, 1, 1, 1]), numpy.zeros((3, 7))
    for _ in range(3):
        with kernel_threads(count), pytest.raises(MemoryError):
            run_on_all_threads(_fill_the_memory, 7, sizes, sums, phases=3)
    assert not sums[2].any()
    with kernel_threads(count):  # and the threads still work
        run_on_all_threads(_fill_the_memory, 7, numpy.ones(7, numpy.int64), sums, phases=3)
    assert (sums == 1).all()


def test_a_machine_without_further_threads_uses_those_that_it_has(monkeypatch):
    def refuse(call):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_helpers", lambda: SimpleNamespace(submit=refuse))
    sums = numpy.zeros((2, 7))
    with kernel_threads(5):
        run_on_all_threads(_fill_the_memory, 7, numpy.ones(7, numpy.int64), sums, phases=2)
    assert (sums == 1).all()
