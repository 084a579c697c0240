"""CUDA's own compilers take the sources, for which no GPU is needed."""

import re
import shutil
import subprocess

import pytest
from cuda_on_the_host import KERNEL

from kvnet.kernels.cuda.parts import compilation
from kvnet.kernels.cuda.key_value_hops_by_row import QUESTION_THREADS

# Rates and losses are double; elsewhere a constant without its f would draw arithmetic into it.
WITH_DOUBLES = ("begin_step", "noisy_adam", "noisy_adam_and_end")
OF_QUESTIONS = ("key_value_hops_by_row", "read_slots_back", "answer_loss", "answer_words")
ADDED_BY_CUPY = ("-ftz=true", "--device-as-default-execution-space")
USE = re.compile(r"entry function '(\w+)'.*?(\d+) bytes spill stores.*?Used (\d+) registers(.*)")


def nvcc_ptx(architecture, dtype, folder):
    """Compile by CUDA's toolkit."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("no nvcc")
    path = folder / "kernels.cu"
    path.write_text(compilation.source())
    options = [*compilation.options(dtype), f"-arch={architecture}", "-Werror=all-warnings"]
    command = [nvcc, "-ptx", *options, path, "-o", path.with_suffix(".ptx")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return path.with_suffix(".ptx").read_text()


def nvrtc_ptx(architecture, dtype, folder):
    """Compile as CuPy does."""
    nvrtc = pytest.importorskip("cupy_backends.cuda.libs.nvrtc", reason="CuPy is not installed")
    try:
        program = nvrtc.createProgram(compilation.source(), "kernels.cu", [], [])
    except RuntimeError as error:
        pytest.skip(f"NVRTC is not installed ({error})")
    if int(architecture.partition("_")[2]) not in nvrtc.getSupportedArchs():
        pytest.skip(f"this NVRTC no longer knows {architecture}")
    options = [*compilation.options(dtype), *ADDED_BY_CUPY, f"-arch={architecture}"]
    try:
        nvrtc.compileProgram(program, options)
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    assert "kernels.cu(" not in nvrtc.getProgramLog(program)  # no warning names a line
    ptx = nvrtc.getPTX(program)
    return ptx.decode() if isinstance(ptx, bytes) else ptx


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compiled", [nvcc_ptx, nvrtc_ptx])
@pytest.mark.parametrize("architecture", ["compute_75", "compute_90"])
def test_cuda_compiles_every_kernel(architecture, compiled, dtype, tmp_path):
    ptx = compiled(architecture, dtype, tmp_path)
    kernels = KERNEL.findall(compilation.source())
    assert len(kernels) > 10
    for name in kernels:
        assert f".entry {name}(" in ptx
        if dtype == "float32" and name not in WITH_DOUBLES:
            body = ptx.partition(f".entry {name}(")[2].partition("\n}\n")[0]
            assert ".f64" not in body, name


def test_kernels_fit_a_multiprocessor(tmp_path):
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("no nvcc")
    path = tmp_path / "kernels.cu"
    path.write_text(compilation.source(), encoding="ascii")
    options = [*compilation.options("float32"), "-arch=sm_90", "-Xptxas", "-v"]
    command = [nvcc, "-cubin", *options, path, "-o", path.with_suffix(".cubin")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = "".join(line + " " for line in done.stderr.splitlines())
    kernels = [part for part in lines.split("Compiling ")[1:] if USE.match(part)]
    assert len(kernels) == len(KERNEL.findall(compilation.source()))
    for kernel in kernels:
        name, spilled, registers, rest = USE.match(kernel).groups()
        own = re.search(r"(\d+) bytes smem", rest)
        assert spilled == "0", name
        threads = QUESTION_THREADS if name in OF_QUESTIONS else 2 * compilation.THREADS
        assert int(registers) * threads <= 1 << 16, name  # a large block, or two side by side
        reserve = (48 << 10) - compilation.SHARED_BYTES
        body = compilation.source().partition(f" {name}(")[2].partition("\n}\n")[0]
        if own and ("DYNAMIC_SHARED" in body or "OF_START" in body):
            assert int(own[1]) <= reserve, name
