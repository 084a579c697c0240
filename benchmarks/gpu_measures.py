"""Measurements on a GPU: time, bandwidth, arithmetic rate, copies between host and device."""

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
TO_HOST = ("get", "item", "tolist", "__float__", "__int__", "__bool__")
LOWER_PRECISION = ("CUPY_TF32", "NVIDIA_TF32_OVERRIDE")  # the peers set PyTorch's own option


def seconds_on_device(xp, function: Callable[[], object]) -> float:
    """Return the time of a function by device events on the default stream.

    Raises
    ------
    RuntimeError
        If the wall clock shows much more time: the work was on another stream.
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
        raise RuntimeError(f"{took:.4f} s by the wall clock, but {seconds:.4f} s by device events")
    return seconds


def median_seconds(xp, function: Callable[[], object]) -> float:
    """Return the median time of `REPETITIONS` calls, after a warm-up call."""
    function()
    return median(seconds_on_device(xp, function) for _ in range(REPETITIONS))


def bandwidth(xp) -> float:
    """Return the bytes per second, read and written, of a copy too large for the caches."""
    source = xp.ones(COPIED_BYTES // 4, "float32")
    target = xp.empty_like(source)

    def copy():
        target[:] = source

    return 2 * COPIED_BYTES / median_seconds(xp, copy)


def float32_rate(xp) -> float:
    """Return the operations per second of a large product in float32, without tf32."""
    random = numpy.random.default_rng(0)
    x, y = (xp.asarray(random.random((LARGE, LARGE), numpy.float32)) for _ in range(2))
    out = xp.empty_like(x)
    return 2 * LARGE**3 / median_seconds(xp, lambda: xp.matmul(x, y, out=out))


def full_float32() -> None:
    """Raise an error if the environment reduces the precision of float32 products.

    Raises
    ------
    InputError
        If a variable of `LOWER_PRECISION` is set.
    """
    for name in LOWER_PRECISION:
        if os.environ.get(name, "0") != "0":
            raise InputError(
                f"{name}={os.environ[name]} is set; unset it, the benchmark needs full float32"
            )


def machine(xp) -> dict:
    """Return the name and properties of the card, and the versions of its driver and CuPy."""
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
    """Return the versions of PyTorch and of its CUDA, if it has been imported."""
    torch = sys.modules.get("torch")
    return {"torch": torch.__version__, "torch_cuda": torch.version.cuda} if torch else {}


def commit() -> str | None:
    """Return the short hash of HEAD, with a + if tracked files outside results/ are modified."""

    def git(*arguments):
        root = Path(__file__).parent.parent
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "-uno", "--", ".", ":!results")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


@contextmanager
def counted_copies(xp) -> Iterator[list[str]]:
    """Record the copies between host and device that are made inside.

    Parameters
    ----------
    xp : module
        CuPy.

    Yields
    ------
    copies : list of str
        Names of the functions that copied.
    """
    copies, array, asarray = [], xp.ndarray, xp.asarray
    in_method = False  # CuPy's methods call each other: `int(x)` calls `x.get()`

    def recording(name, function):
        def call(*args, **kwargs):
            nonlocal in_method
            if in_method:
                return function(*args, **kwargs)
            copies.append(name)
            in_method = True
            try:
                return function(*args, **kwargs)
            finally:
                in_method = False

        return call

    def to_device(value, *args, **kwargs):
        if not isinstance(value, array):
            copies.append("asarray")
        return asarray(value, *args, **kwargs)

    originals = {name: vars(array)[name] for name in TO_HOST if name in vars(array)}
    for name in TO_HOST:
        setattr(array, name, recording(name, getattr(array, name)))
    xp.asarray = to_device
    try:
        yield copies
    finally:
        xp.asarray = asarray
        for name in TO_HOST:
            if name in originals:
                setattr(array, name, originals[name])
            else:
                delattr(array, name)
