"""The array module that everything runs on: NumPy or CuPy, chosen by name.

This is the one module that knows CuPy. Operations and models take the array module as ``xp``.
"""

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


def _cupy() -> ModuleType:
    try:
        import cupy
    except ImportError:
        raise InputError(
            "backend='cupy' needs CuPy, which is not installed; install the extra for your CUDA "
            "version (pip install -e '.[cuda12]' or '.[cuda13]'), or take --backend numpy"
        ) from None
    try:
        cupy.cuda.runtime.getDeviceCount()
        cupy.zeros(1)
    except Exception as error:  # the driver and the runtime each have their own exception types
        raise InputError(
            f"backend='cupy' finds no usable GPU ({str(error).splitlines()[0]}); check the driver "
            "with nvidia-smi and that the extra (cuda12 or cuda13) matches it, or take "
            "--backend numpy"
        ) from None
    return cupy


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
