"""The array module, NumPy or CuPy, chosen by name.

This is the one module that knows CuPy. Operations and models take the array module as ``xp``.
"""

import sys
from collections.abc import Callable
from types import ModuleType

import numpy

from kvnet.errors import InputError

BACKENDS = ("numpy", "cupy", "auto")


def array_module(name: str) -> ModuleType:
    """Return the array module of a backend.

    Parameters
    ----------
    name : {"numpy", "cupy", "auto"}
        ``auto`` takes CuPy where it finds CuPy and a GPU, NumPy otherwise.

    Returns
    -------
    xp : module
        ``numpy`` or ``cupy``.

    Raises
    ------
    InputError
        If the name is none of the three, or CuPy is asked for and cannot run here.
    """
    if name not in BACKENDS:
        raise InputError(f"backend={name!r} is unknown; it takes {', '.join(BACKENDS)}")
    if name == "numpy":
        return numpy
    try:
        return _cupy()
    except InputError:
        if name == "auto":
            return numpy
        raise


def chosen_backend(name: str, say: Callable[[str], None]) -> str:
    """Return the backend that a name selects on this machine; print the choice of ``auto``.

    Parameters
    ----------
    name : {"numpy", "cupy", "auto"}
    say : callable
        Prints a line of text.

    Returns
    -------
    name : {"numpy", "cupy"}

    Raises
    ------
    InputError
        As `array_module`.
    """
    try:
        array_module("cupy" if name == "auto" else name)
    except InputError as error:
        if name != "auto":
            raise
        reason = str(error).partition("; ")[0]
        say(f"--backend auto runs on the CPU: {reason}")
        return "numpy"
    if name == "auto":
        say("--backend auto runs on the GPU")
    return "cupy" if name == "auto" else name


def _cupy() -> ModuleType:
    extras = "pip install -e '.[cuda13]', or '.[cuda12]' for a driver of CUDA 12"
    instead = "or use --backend numpy"
    try:
        import cupy
    except PermissionError as error:  # it makes the folder for its kernels at once
        raise InputError(
            f"backend='cupy' cannot load CuPy ({_reason(error)}); set CUPY_CACHE_DIR to a "
            f"folder that can be written, {instead}"
        ) from None
    except Exception as error:  # a broken installation raises whatever it likes
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            problem = "needs CuPy, which is not installed"
        else:
            problem = f"cannot load CuPy ({_reason(error)})"
        raise InputError(f"backend='cupy' {problem}; {extras}, {instead}") from None
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # what the CUDA runtime raises, without a driver too
        raise InputError(
            f"backend='cupy' finds no usable GPU ({_reason(error)}); check the driver with "
            f"nvidia-smi and that the extra (cuda12 or cuda13) matches it, {instead}"
        ) from None
    if not found:
        raise InputError(f"backend='cupy' finds no GPU; check nvidia-smi, {instead}")
    try:
        x = cupy.zeros((1, 1))
        float((x @ x).sum())  # needs the compiler and cuBLAS as well as the device
    except Exception as error:  # each of these has its own types
        if is_out_of_memory(error):
            raise InputError(
                f"backend='cupy' finds no free memory on the GPU ({_reason(error)}); end what "
                f"nvidia-smi shows there, {instead}"
            ) from None
        raise InputError(
            f"backend='cupy' cannot run on the GPU ({_reason(error)}); check the driver with "
            f"nvidia-smi, install CUDA's libraries with {extras}, {instead}"
        ) from None
    return cupy


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that the machine's, or the GPU's, memory is used up."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and ("memoryallocation" in text or "out_of_memory" in text or "alloc_failed" in text)
    )


def _reason(error):
    """Return the reason in an error's message: what CuPy quotes as original, or the first line.

    CuPy's own message is pages of advice around the error of the import that failed.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" =-*")]
    for place, line in enumerate(lines[:-1]):
        if line.startswith("Original error"):
            return lines[place + 1]
    return lines[0] if lines else type(error).__name__


def has_cuda_kernels(xp: ModuleType) -> bool:
    """Return whether an array module compiles CUDA kernels, as CuPy does."""
    return hasattr(xp, "RawModule")


def array_module_of(array) -> ModuleType:
    """Return the array module that an array belongs to, from the name of its class's module."""
    return sys.modules[type(array).__module__.partition(".")[0]]


def to_numpy(array) -> numpy.ndarray:
    """Return an array of either backend as a NumPy array.

    Parameters
    ----------
    array : numpy.ndarray or cupy.ndarray

    Returns
    -------
    array : numpy.ndarray
    """
    return array.get() if hasattr(array, "get") else numpy.asarray(array)
