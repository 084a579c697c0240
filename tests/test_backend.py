"""Which backend a command selects, and its errors without a usable GPU."""

import sys
from types import ModuleType, SimpleNamespace

import numpy
import pytest
from helpers.strict_arrays import strict

from kvnet import InputError, backend
from kvnet.backend import array_module
from kvnet.cli import train_babi, train_kb, train_lm
from kvnet.gradcheck import command_line as gradcheck

TASK = [
    *("--task-id=1", "--questions-per-task=40", "--epochs=1"),
    *("--embedding-size=4", "--feature-size=4"),
]


class CudaError(RuntimeError):
    """Raised by CuPy for an error of the CUDA runtime."""


class OutOfMemory(MemoryError):
    """Raised by CuPy's memory pool."""


def raising(error):
    def call(*args):
        raise error

    return call


class ArrayWithoutCublas:
    """An array on a machine without cuBLAS."""

    def __matmul__(self, other):
        raise ImportError("Failure finding libcublas.so.13\nlong list")


def broken_cupy(devices=lambda: 1, zeros=numpy.zeros):
    """Return a module with the part of CuPy that is tried first."""
    module = ModuleType("cupy")
    module.cuda = SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=devices))
    module.zeros = zeros
    return module


NO_DRIVER = CudaError("cudaErrorInsufficientDriver: CUDA driver version is insufficient\nmore")
NO_COMPILER = RuntimeError("Failed to find NVRTC\nlong advice")
FULL = CudaError("cudaErrorMemoryAllocation: out of memory")
BROKEN = {
    "no CuPy": (None, "not installed; pip install -e '.[cuda13]'"),
    "no driver": (
        broken_cupy(raising(NO_DRIVER)),
        "insufficient); check the driver with nvidia-smi",
    ),
    "no GPU": (broken_cupy(lambda: 0), "finds no GPU; check nvidia-smi"),
    "no compiler": (
        broken_cupy(zeros=raising(NO_COMPILER)),
        "Failed to find NVRTC); check the driver",
    ),
    "no cuBLAS": (
        broken_cupy(zeros=lambda shape: ArrayWithoutCublas()),
        "(Failure finding libcublas.so.13); check the driver",
    ),
    "full before the first array": (
        broken_cupy(zeros=raising(FULL)),
        "finds no free memory on the GPU",
    ),
    "full": (broken_cupy(zeros=raising(OutOfMemory("Out of memory"))), "end what nvidia-smi shows"),
}


@pytest.fixture(params=BROKEN)
def message(request, monkeypatch):
    """A part of the error message, with a CuPy in place that cannot run."""
    module, message = BROKEN[request.param]
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.delenv("KVNET_DATA", raising=False)
    return message


@pytest.mark.parametrize("command", [train_babi, train_kb, train_lm, gradcheck])
def test_missing_gpu_error_names_the_remedy(message, command, capsys):
    assert command.main(["--backend", "cupy"]) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("\n") == 1
    assert message in output.err and "--backend numpy" in output.err


def test_unwritable_kernel_cache_error(tmp_path, monkeypatch):
    (tmp_path / "cupy.py").write_text("raise PermissionError(13, 'Permission denied', '/home/x')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(InputError, match=r"Permission denied: '/home/x'\); set CUPY_CACHE_DIR to"):
        array_module("cupy")


def test_auto_reports_that_it_runs_on_the_cpu(message, capsys):
    assert array_module("auto") is numpy
    assert train_babi.main([*TASK, "--backend", "auto"]) == 0
    first, *others = capsys.readouterr().err.splitlines()
    assert first.startswith("--backend auto runs on the CPU: backend='cupy' ")
    assert not any("--backend auto" in line for line in others)


def test_auto_selects_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr(backend, "_cupy", lambda: strict)
    assert train_babi.main([*TASK, "--backend", "auto", "--kernels", "reference"]) == 0
    assert capsys.readouterr().err.startswith("--backend auto runs on the GPU\n")


@pytest.mark.parametrize(
    "error", [OutOfMemory("Out of memory allocating 9,000,000 bytes."), FULL], ids=repr
)
def test_out_of_memory_error_is_one_line(monkeypatch, capsys, error):
    monkeypatch.setattr(backend, "_cupy", lambda: strict)
    monkeypatch.setattr("kvnet.training.trainer.Trainer.batch", raising(error))
    assert train_babi.main([*TASK, "--backend", "cupy", "--kernels", "reference", "--quiet"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "batch_size" in err
    assert str(error).rstrip(".") in err


def test_other_errors_are_not_hidden(monkeypatch):
    monkeypatch.setattr(backend, "_cupy", lambda: strict)
    error = CudaError("cudaErrorIllegalAddress: an illegal memory access was encountered")
    monkeypatch.setattr("kvnet.training.trainer.Trainer.batch", raising(error))
    with pytest.raises(CudaError):
        train_babi.main([*TASK, "--backend", "cupy", "--kernels", "reference", "--quiet"])


def test_unknown_backend_error():
    with pytest.raises(InputError, match="backend='gpu' is unknown; it takes numpy, cupy, auto"):
        array_module("gpu")
