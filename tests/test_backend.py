"""Where a command runs, and what it says where there is no GPU to run on."""

import sys
from types import ModuleType, SimpleNamespace

import numpy
import pytest
from helpers.strict_arrays import strict

from kvnet import InputError, backend
from kvnet.backend import array_module
from kvnet.cli import train_babi, train_lm
from kvnet.gradcheck import command_line as gradcheck

TASK = [
    "--task-id",
    "1",
    "--questions-per-task",
    "40",
    "--epochs",
    "1",
    "--embedding-size",
    "4",
    "--feature-size",
    "4",
]


class CudaError(RuntimeError):
    """What CuPy raises for the CUDA runtime."""


class OutOfMemory(MemoryError):
    """What CuPy's memory pool raises."""


def fails(error):
    def call(*args):
        raise error

    return call


class NoProducts:
    """An array where cuBLAS is missing."""

    def __matmul__(self, other):
        raise ImportError("Failure finding libcublas.so.13\nlong list")


def cupy_that(devices=lambda: 1, zeros=numpy.zeros):
    """Return a module that begins as CuPy does and goes wrong."""
    module = ModuleType("cupy")
    module.cuda = SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=devices))
    module.zeros = zeros
    return module


NO_DRIVER = CudaError("cudaErrorInsufficientDriver: CUDA driver version is insufficient\nmore")
NO_COMPILER = RuntimeError("Failed to find NVRTC\nlong advice")
FULL = CudaError("cudaErrorMemoryAllocation: out of memory")
PLACES = {
    "no CuPy": (None, "not installed; pip install -e '.[cuda13]'"),
    "no driver": (cupy_that(fails(NO_DRIVER)), "insufficient); check the driver with nvidia-smi"),
    "no GPU": (cupy_that(lambda: 0), "finds no GPU; check nvidia-smi"),
    "no compiler": (cupy_that(zeros=fails(NO_COMPILER)), "Failed to find NVRTC); check the driver"),
    "no cuBLAS": (
        cupy_that(zeros=lambda shape: NoProducts()),
        "(Failure finding libcublas.so.13); check the driver",
    ),
    "full at once": (cupy_that(zeros=fails(FULL)), "finds no free memory on the GPU"),
    "full": (cupy_that(zeros=fails(OutOfMemory("Out of memory"))), "end what nvidia-smi shows"),
}


@pytest.fixture(params=PLACES)
def place(request, monkeypatch):
    module, words = PLACES[request.param]
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.delenv("KVNET_DATA", raising=False)
    return words


@pytest.mark.parametrize("command", [train_babi, train_lm, gradcheck])
def test_without_a_gpu_one_line_names_the_remedy(place, command, capsys):
    assert command.main(["--backend", "cupy"]) == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("\n") == 1
    assert place in output.err and "--backend numpy" in output.err


def test_where_cupy_cannot_keep_its_kernels_one_line_says_so(tmp_path, monkeypatch):
    (tmp_path / "cupy.py").write_text("raise PermissionError(13, 'Permission denied', '/home/x')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(InputError, match=r"Permission denied: '/home/x'\); set CUPY_CACHE_DIR to"):
        array_module("cupy")


def test_auto_falls_back_and_says_so(place, capsys):
    assert array_module("auto") is numpy
    assert train_babi.main([*TASK, "--backend", "auto"]) == 0
    first, *others = capsys.readouterr().err.splitlines()
    assert first.startswith("--backend auto runs on the processor: backend='cupy' ")
    assert not any("--backend auto" in line for line in others)


def test_auto_takes_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr(backend, "_cupy", lambda: strict)
    assert train_babi.main([*TASK, "--backend", "auto", "--kernels", "reference"]) == 0
    assert capsys.readouterr().err.startswith("--backend auto runs on the GPU\n")


@pytest.mark.parametrize("error", [OutOfMemory("Out of memory allocating 9,000,000 bytes."), FULL])
def test_too_little_memory_is_one_line(monkeypatch, capsys, error):
    monkeypatch.setattr(backend, "_cupy", lambda: strict)
    monkeypatch.setattr("kvnet.training.trainer.Trainer.batch", fails(error))
    assert train_babi.main([*TASK, "--backend", "cupy", "--kernels", "reference", "--quiet"]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "batch_size" in message
    assert str(error).rstrip(".") in message


def test_other_errors_are_not_hidden(monkeypatch):
    monkeypatch.setattr(backend, "_cupy", lambda: strict)
    wrong = CudaError("cudaErrorIllegalAddress: an illegal memory access was encountered")
    monkeypatch.setattr("kvnet.training.trainer.Trainer.batch", fails(wrong))
    with pytest.raises(CudaError):
        train_babi.main([*TASK, "--backend", "cupy", "--kernels", "reference", "--quiet"])


def test_a_backend_must_be_known():
    with pytest.raises(InputError, match="backend='gpu' is unknown; it takes numpy, cupy, auto"):
        array_module("gpu")
