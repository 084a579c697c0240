"""What a GPU can do and what is done on it: seconds, bytes, operations, copies."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy

from kvnet.errors import InputError

LARGE = 8192  # rows of a square matrix
COPIED_BYTES = 1 << 30
REPETITIONS = 10
LOWER_PRECISION = ("CUPY_TF32", "NVIDIA_TF32_OVERRIDE")  # PyTorch's own is set by its peers
TO_HOST = ("get", "item", "tolist", "__float__", "__int__", "__bool__")


def seconds_on_device(xp, function: Callable[[], object]) -> float:
    """Time a function by device events on the default stream, where all libraries here work.

    Raises
    ------
    RuntimeError
        If the device was busy for much longer than the events say: the work was on another stream.
    """
    before, after = xp.cuda.Event(), xp.cuda.Event()
    xp.cuda.runtime.deviceSynchronize()
    began = time.perf_counter()
    before.record()
    function()
    after.record()
    xp.cuda.runtime.deviceSynchronize()
    took = time.perf_counter() - began
    seconds = xp.cuda.get_elapsed_time(before, after) / 1000
    if took > 1.5 * seconds + 1e-3:
        raise RuntimeError(f"{took:.4f} s by the clock, {seconds:.4f} s by the device's events")
    return seconds


def median_seconds(xp, function: Callable[[], object]) -> float:
    """Time a function some times after a call that warms it up."""
    function()
    return median(seconds_on_device(xp, function) for _ in range(REPETITIONS))


def bandwidth(xp) -> float:
    """Measure bytes a second, read and written, of a copy too large for the caches."""
    source = xp.ones(COPIED_BYTES // 4, "float32")
    target = xp.empty_like(source)

    def copy():
        target[:] = source

    return 2 * COPIED_BYTES / median_seconds(xp, copy)


def float32_rate(xp) -> float:
    """Measure operations a second of a large product in float32, without tf32."""
    random = numpy.random.default_rng(0)
    x, y = (xp.asarray(random.random((LARGE, LARGE), numpy.float32)) for _ in range(2))
    out = xp.empty_like(x)
    return 2 * LARGE**3 / median_seconds(xp, lambda: xp.matmul(x, y, out=out))


def full_float32() -> None:
    """Refuse an environment that would round products to fewer bits than float32 has.

    Raises
    ------
    InputError
        If a variable asks for that.
    """
    for name in LOWER_PRECISION:
        if os.environ.get(name, "0") != "0":
            raise InputError(f"{name}={os.environ[name]} is set; unset it: all here is in float32")


def machine(xp) -> dict:
    """Name the card, its driver and CuPy."""
    properties = xp.cuda.runtime.getDeviceProperties(0)
    name = properties["name"]
    return {
        "gpu": name.decode() if isinstance(name, bytes) else name,
        "multiprocessors": properties["multiProcessorCount"],
        "memory_gib": round(properties["totalGlobalMem"] / 2**30, 1),
        "driver": xp.cuda.runtime.driverGetVersion(),
        "runtime": xp.cuda.runtime.runtimeGetVersion(),
        "cupy": xp.__version__,
    }


def torch_versions() -> dict:
    """Name PyTorch and the CUDA it is built for, if it has been loaded."""
    torch = sys.modules.get("torch")
    return {"torch": torch.__version__, "torch_cuda": torch.version.cuda} if torch else {}


def commit() -> str | None:
    """Return the commit that is measured, with a + where files differ, results left aside."""

    def git(*arguments):
        where = Path(__file__).parent.parent
        done = subprocess.run(
            ["git", *arguments], cwd=where, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "-uno", "--", ".", ":!results")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


@contextmanager
def counted_copies(xp) -> Iterator[list[str]]:
    """Collect what copies between host and device inside, in a list.

    Parameters
    ----------
    xp : module
        CuPy.
    """
    found, array, asarray = [], xp.ndarray, xp.asarray

    def noted(name, function):
        def call(*args, **kwargs):
            found.append(name)
            return function(*args, **kwargs)

        return call

    def to_device(value, *args, **kwargs):
        if not isinstance(value, array):
            found.append("asarray")
        return asarray(value, *args, **kwargs)

    own = {name: vars(array)[name] for name in TO_HOST if name in vars(array)}
    for name in TO_HOST:
        setattr(array, name, noted(name, getattr(array, name)))
    xp.asarray = to_device
    try:
        yield found
    finally:
        xp.asarray = asarray
        for name in TO_HOST:
            if name in own:
                setattr(array, name, own[name])
            else:
                delattr(array, name)
