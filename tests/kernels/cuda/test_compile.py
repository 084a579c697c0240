"""CUDA's compilers accept the sources, for which no GPU is needed; names agree with Python's."""

import re
import shutil
import subprocess

import pytest
from helpers import ROOT
from helpers.strict_arrays import strict

from kvnet.kernels.cuda.parts import compile as compilation
from kvnet.kernels.cuda.parts.constants import ARRAYS_PER_LAUNCH, MANY_THREADS, THREADS
from kvnet.kernels.cuda.parts.launch import SHARED_BYTES, launch

# Rates and losses are double; elsewhere a constant without an f would make arithmetic double.
WITH_DOUBLES = ("begin_step", "noisy_adam", "noisy_adam_and_end")
ADDED_BY_CUPY = ("-ftz=true", "--device-as-default-execution-space")
USAGE = re.compile(r"entry function '(\w+)'.*?(\d+) bytes spill stores.*?Used (\d+) registers(.*)")
FILES = [*compilation.FOLDER.rglob("*.cu")]


def test_every_file_is_compiled_once_after_those_that_it_includes():
    text = compilation.source()
    assert text.isascii() and "#include" not in text
    assert len(FILES) > 20
    kernels = [name for name, _ in compilation.KERNEL.findall(text)]
    assert len({*kernels}) == len(kernels) == text.count('extern "C" __global__')
    python = "".join(path.read_text() for path in compilation.FOLDER.rglob("*.py"))
    assert [name for name in kernels if f'"{name}"' not in python] == []
    for path in FILES:
        source = path.read_text()
        assert path.parent != compilation.FOLDER or path.with_suffix(".py").exists(), path
        for line in source.splitlines():
            assert not line.startswith("#include") or compilation.INCLUDE.fullmatch(line), path


def test_names_of_parameters():
    names = compilation.parameters()
    assert names["embedding_sum"] == ("words", "table", "encoding", "readings", "N", "S", "E")
    sections = [f"{field}{n}" for n in range(ARRAYS_PER_LAUNCH) for field in ("section", "end")]
    assert names["concatenate"] == (*sections, "vector", "start")
    by_slot = ("M", "D", "readings", "key_rows", "value_rows", "allowed", "masked")
    assert names["by_slot"] == (*by_slot, "ws", "ps", "reads")


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_a_launch_with_wrong_names_is_a_type_error(change):
    arguments = {"x": strict.zeros(1), "count": 1, "total": strict.zeros(1)}
    if change == "missing":
        del arguments["total"]
    else:
        arguments["totals"] = arguments["total"]
    with pytest.raises(TypeError, match="sum_losses takes x, count, total; missing or unknown"):
        launch(strict, "float64", "sum_losses", 1, **arguments)


def nvcc_ptx(architecture, dtype, folder):
    """Compile with CUDA's toolkit."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("no nvcc")
    path = folder / "kernels.cu"
    path.write_text(compilation.source(), encoding="ascii")
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
        pytest.skip(f"this NVRTC does not support {architecture}")
    options = [*compilation.options(dtype), *ADDED_BY_CUPY, f"-arch={architecture}"]
    try:
        nvrtc.compileProgram(program, options)
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    assert "kernels.cu(" not in nvrtc.getProgramLog(program)  # no warning names a line
    ptx = nvrtc.getPTX(program)
    return ptx.decode() if isinstance(ptx, bytes) else ptx


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compiler", [nvcc_ptx, nvrtc_ptx])
@pytest.mark.parametrize("architecture", ["compute_75", "compute_90"])
def test_cuda_compiles_every_kernel(architecture, compiler, dtype, tmp_path):
    ptx = compiler(architecture, dtype, tmp_path)
    for name in compilation.parameters():
        assert f".entry {name}(" in ptx
        if dtype == "float32" and name not in WITH_DOUBLES:
            body = ptx.partition(f".entry {name}(")[2].partition("\n}\n")[0]
            assert ".f64" not in body, name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_fit_a_multiprocessor(tmp_path, dtype):
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("no nvcc")
    text, path = compilation.source(), tmp_path / "kernels.cu"
    path.write_text(text, encoding="ascii")
    options = [*compilation.options(dtype), "-arch=sm_90", "-Xptxas", "-v"]
    command = [nvcc, "-cubin", *options, path, "-o", path.with_suffix(".cubin")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = "".join(line + " " for line in done.stderr.splitlines())
    reports = filter(None, map(USAGE.match, lines.split("Compiling ")[1:]))
    kernels = {name: values for name, *values in (report.groups() for report in reports)}
    assert kernels.keys() == compilation.parameters().keys()
    for name, (spilled, registers, rest) in kernels.items():
        assert dtype == "float64" or spilled == "0", name
        of_question = f"__launch_bounds__(MANY_THREADS, 2)\n    {name}(" in text
        blocks = 2 if of_question or dtype == "float32" else 1  # at least, per multiprocessor
        threads = blocks * (MANY_THREADS if of_question else THREADS)
        assert int(registers) * threads <= 1 << 16, name
        static = re.search(r"(\d+) bytes smem", rest)
        body = text.partition(f" {name}(")[2].partition("\n}\n")[0]
        is_dynamic = "DYNAMIC_SHARED" in body or "HOPS_OF_MODEL" in body
        if static:
            assert int(static[1]) <= (48 << 10) - (SHARED_BYTES if is_dynamic else 0), name


def test_clang_format():
    package = pytest.importorskip("clang_format")
    paths = [*FILES, *(ROOT / "tests").rglob("*.h")]
    command = [package.get_executable("clang-format"), "--dry-run", "--Werror", *paths]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
