"""What a GPU can do and what is done on it: seconds, bytes, operations, copies."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy

LARGE = 8192  # rows of a square matrix
COPIED_BYTES = 1 << 30
REPETITIONS = 10
TO_HOST = ("get", "item", "tolist", "__float__", "__int__", "__bool__")


def seconds_on_device(xp, function: Callable[[], object]) -> float:
    """Time a function by device events on the default stream, where all libraries here work."""
    before, after = xp.cuda.Event(), xp.cuda.Event()
    before.record()
    function()
    after.record()
    after.synchronize()
    return xp.cuda.get_elapsed_time(before, after) / 1000


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


def machine(xp) -> dict:
    """Name the card, its driver and the libraries."""
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


def commit() -> str | None:
    """Return the commit that is measured, with a + where files differ from it."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


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
