"""How kernels are compiled."""

import numpy

# The NumPy error model divides without a test for zero, which would prevent vector instructions.
# Helpers are always inlined. Otherwise each kernel would bring its own copy of a helper, and which
# copy runs, and so how it rounds, would depend on what was compiled now and what was cached.
OPTIONS = {
    "error_model": "numpy",
    "fastmath": True,
    "forceinline": True,
    "nogil": True,
}
# For functions that only kernels call: an entry from Python takes long to compile for many arrays.
INNER = OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
NOT_INLINED = OPTIONS | {"forceinline": False}
INNER_NOT_INLINED = INNER | {"forceinline": False}


def as_int32(array):
    """Return row indices or word ids as int32, the one integer dtype that kernels compile for."""
    return numpy.ascontiguousarray(array, numpy.int32)
