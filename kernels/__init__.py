"""Fused forms of operations, updates and whole computations.

A module ``kernels/NAME.py`` (compiled by Numba, for NumPy) or ``kernels/cuda/NAME.py`` (CUDA, for
CuPy) defines the fused form of the operation or update NAME: the file's presence is its
registration. It takes the same arguments and returns the same values up to rounding. Modules named
in `WHOLE` compute more than one operation and have no textbook form here; `kvnet.training` says
which models they serve. Helpers are in ``parts/``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy
from threadpoolctl import threadpool_limits

from kvnet.backend import has_cuda_kernels
from kvnet.errors import InputError, setting, shown
from kvnet.operations import Operations
from kvnet.updates import Updates

CHOICES = ("reference", "fused", "auto")
WHOLE = ("bow_answers", "bow_steps")  # all answers to a data set, and training steps
PACKAGES = {"numpy": "kvnet.kernels", "cuda": "kvnet.kernels.cuda"}


def choose_operations(kernels: str, xp: ModuleType) -> Operations:
    """Return the operations that a model is to call.

    Parameters
    ----------
    kernels : {"reference", "fused", "auto"}
        ``auto`` selects the fused forms where they run: compiled by Numba on NumPy, by NVIDIA's
        compiler on CuPy.
    xp : module
        Array module.

    Returns
    -------
    operations : Operations

    Raises
    ------
    InputError
        If the choice is unknown, or the array module has no fused kernels.
    """
    return Operations(**_fused_forms(Operations, kernels, xp))


def choose_updates(kernels: str, xp: ModuleType) -> Updates:
    """Return the updates that an optimiser is to call; see `choose_operations`."""
    return Updates(**_fused_forms(Updates, kernels, xp))


def whole_kernel(name: str, kernels: str, xp: ModuleType) -> ModuleType | None:
    """Return a module of `WHOLE` for an array module, or None for the textbook.

    Parameters
    ----------
    name : {"bow_answers", "bow_steps"}
    kernels, xp
        As for `choose_operations`.

    Returns
    -------
    kernel : module or None
    """
    folder = _folder(kernels, xp)
    return folder and import_module(f"{PACKAGES[folder]}.{name}")


def fused_names(folder: str) -> list[str]:
    """Return the names that a folder of kernels defines, ``"numpy"`` or ``"cuda"``."""
    path = Path(__file__).parent / ("" if folder == "numpy" else folder)
    return sorted(file.stem for file in path.glob("*.py") if file.stem != "__init__")


def _fused_forms(collection, kernels, xp):
    folder = _folder(kernels, xp)
    if folder is None:
        return {}
    # Imported only here: Numba takes a second to import, and the textbook does not need it.
    return {
        name: getattr(import_module(f"{PACKAGES[folder]}.{name}"), name)
        for name in fused_names(folder)
        if hasattr(collection, name)
    }


def _folder(kernels, xp):
    """Return the folder of fused kernels that a choice means, or None for the textbook."""
    if kernels not in CHOICES:
        raise InputError(f"kernels={shown(kernels)} is unknown; it takes {', '.join(CHOICES)}")
    folder = "numpy" if xp is numpy else "cuda" if has_cuda_kernels(xp) else None
    if kernels == "fused" and folder is None:
        fused, auto = setting("kernels", "fused"), setting("kernels", "auto")
        raise InputError(f"{fused} does not run on {xp.__name__}; use {auto}")
    return None if kernels == "reference" else folder


@contextmanager
def kernel_threads(count: int) -> Iterator[int]:
    """Run kernels on a number of threads, with the same results for any number.

    BLAS runs on one thread meanwhile: a product that it splits over threads may round differently.

    Parameters
    ----------
    count : int
        Reduced to the number of cores if larger.

    Yields
    ------
    count : int
        The number of threads that kernels run on.
    """
    import scipy.linalg.cython_blas  # noqa: F401  (loads the kernels' BLAS, for the limit to find)

    from kvnet.kernels.parts.threads import allow_threads, allowed_threads, prepare_blas

    before = allowed_threads()
    allow_threads(count)
    try:
        # BLAS may compute on uninitialised padding, which raises the flag "invalid" although the
        # result is right. NaN from finite numbers follows an overflow, which is still reported.
        with threadpool_limits(1, user_api="blas"), numpy.errstate(invalid="ignore"):
            prepare_blas(allowed_threads())
            yield allowed_threads()
    finally:
        allow_threads(before)
