"""An array module on NumPy that is as strict as CuPy: what is on the device stays there.

Arrays refuse NumPy's functions, and NumPy's arrays are refused. Whatever would make CuPy copy
between host and device, or synchronise with the device, is counted in `transfers`. A stream that is
captured records its work, which runs again like a CUDA graph; kernels run on the CPU
(`cuda_on_the_host`).
"""

import operator
import sys
import time
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

import numpy
from gpu_measures import counted_copies

from helpers import cuda_on_the_host

transfers = []  # copies and synchronisations, in order
launches = []  # names of the kernels that have run
_recording = None  # what a stream that is captured has recorded


def _names(text):
    return text.split()


SAME_AS_NUMPY = _names(
    "abs arange argsort concatenate cos cumsum einsum empty exp full log matmul maximum ones pad "
    "ceil floor minimum repeat searchsorted sort sin sqrt stack sum take tanh where zeros dot "
    "floor_divide power "
    "ones_like zeros_like full_like empty_like broadcast_to isin log1p expm1 lexsort tile eye"
)
BLAS = ("matmul", "dot", "einsum")
CONSTANTS = ("bool_", "float32", "float64", "int32", "int64", "uint32", "uint64", "newaxis", "pi")
SYNCHRONISING = ("unique", "nonzero", "argwhere", "flatnonzero")
METHODS = _names(
    "any all argmax argsort astype copy max mean min ravel reshape squeeze std sum swapaxes "
    "transpose"
)
BINARY = _names("add sub mul truediv floordiv mod pow and_ or_ xor lshift rshift lt le eq ne gt ge")
IN_PLACE = _names("iadd isub imul itruediv")


def _unwrap(value):
    if isinstance(value, Array):
        return value.held
    if isinstance(value, numpy.ndarray):
        raise TypeError("a NumPy array among device arrays; move it with asarray")
    if isinstance(value, list | tuple):
        return type(value)(_unwrap(v) for v in value)
    return value


def _device(function, *args, **kwargs):
    """Run a NumPy function on device arrays, and record it if a stream is captured."""
    blas = getattr(function, "__name__", "") in BLAS
    if blas and _recording is not None:
        raise NotImplementedError("calling cuBLAS API during stream capture is unsupported")
    args, kwargs = _unwrap(args), {name: _unwrap(value) for name, value in kwargs.items()}
    result = function(*args, **kwargs)
    if not isinstance(result, numpy.ndarray | numpy.generic):
        return result
    result = numpy.asarray(result)
    if kwargs.get("out") is None and function is numpy.empty:
        result.fill(numpy.nan if result.dtype.kind == "f" else 99)  # no caller may rely on it
    if _recording is not None:
        _record(result, function, args, kwargs)
    return Array(result)


def _record(result, function, args, kwargs):
    flat = [a for arg in args for a in (arg if isinstance(arg, list | tuple) else [arg])]
    inputs = [a for a in flat if isinstance(a, numpy.ndarray)]
    if kwargs.get("out") is not None:
        _recording.append(lambda: function(*args, **kwargs))
    elif not any(numpy.may_share_memory(result, a) for a in inputs):  # a view needs no update
        _recording.append(lambda: numpy.copyto(result, function(*args, **kwargs)))


def _change(function, *args):
    """Run a function that changes an array in place; only record it if a stream is captured."""
    args = _unwrap(args)
    if _recording is None:
        function(*args)
    else:
        _recording.append(lambda: function(*args))


def _transfer(name):
    if _recording is not None:
        raise RuntimeError(f"{name}: synchronisation is not possible while a stream is captured")
    transfers.append(name)


class Array:
    """A device array."""

    __array_ufunc__ = None
    __hash__ = None

    def __init__(self, held):
        self.held = held

    shape = property(lambda self: self.held.shape)
    dtype = property(lambda self: self.held.dtype)
    ndim = property(lambda self: self.held.ndim)
    size = property(lambda self: self.held.size)
    nbytes = property(lambda self: self.held.nbytes)
    T = property(lambda self: Array(self.held.T))
    real = property(lambda self: self if self.dtype.kind != "c" else Array(self.held.real))

    def __array__(self, *args, **kwargs):
        raise TypeError("implicit conversion to a NumPy array is not allowed; use .get()")

    def __len__(self):
        return len(self.held)

    def __iter__(self):
        return (self[n] for n in range(len(self)))

    def __neg__(self):
        return _device(operator.neg, self)

    def __invert__(self):
        return _device(operator.invert, self)

    def __abs__(self):
        return _device(numpy.abs, self)

    def __matmul__(self, other):
        return _device(numpy.matmul, self, other)

    def __getitem__(self, key):
        _watch(key, "array[mask]")
        return _device(operator.getitem, self, key)

    def __setitem__(self, key, value):
        _watch(key, None)
        _change(operator.setitem, self, key, value)

    def get(self):
        _transfer("get")
        return self.held.copy()

    def item(self):
        _transfer("item")
        return self.held.item()

    def tolist(self):
        _transfer("tolist")
        return self.held.tolist()

    def fill(self, value):
        _change(numpy.ndarray.fill, self, value)


def _watch(key, mask):
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, numpy.ndarray | list):
            raise TypeError("a host array as an index; move it with asarray")
        if mask and isinstance(part, Array) and part.dtype == bool:
            _transfer(mask)


def _define():
    def method(name):
        def call(self, *args, **kwargs):
            return _device(getattr(numpy.ndarray, name), self, *args, **kwargs)

        return call

    def binary(function, turned=False):
        def call(self, other):
            args = (other, self) if turned else (self, other)
            return _device(function, *args)

        return call

    def in_place(function):
        def call(self, other):
            _change(function, self, other)
            return self

        return call

    def to_host(kind):
        def call(self):
            _transfer(kind.__name__)
            return kind(self.held.item())

        return call

    for name in METHODS:
        setattr(Array, name, method(name))
    for name in BINARY:
        function, bare = getattr(operator, name), name.rstrip("_")
        setattr(Array, f"__{bare}__", binary(function))
        if bare not in ("lt", "le", "eq", "ne", "gt", "ge"):
            setattr(Array, f"__r{bare}__", binary(function, turned=True))
    for name in IN_PLACE:
        setattr(Array, f"__{name}__", in_place(getattr(operator, name)))
    for name, kind in (("float", float), ("int", int), ("bool", bool), ("index", int)):
        setattr(Array, f"__{name}__", to_host(kind))


_define()


class Stream:
    """A stream that runs everything at once, or records it."""

    def __init__(self, non_blocking=False):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def begin_capture(self, mode=None):
        global _recording
        _recording = []

    def end_capture(self):
        global _recording
        recorded, _recording = _recording, None
        return SimpleNamespace(launch=lambda stream=None: [step() for step in recorded])

    def synchronize(self):
        _transfer("synchronize")


class Event:
    """A point in time of a stream that runs at once."""

    def record(self):
        self.at = time.perf_counter()

    def synchronize(self):
        _transfer("synchronize")


class _Runtime:
    """CUDA's runtime, with the CPU as the GPU."""

    def deviceSynchronize(self):
        _transfer("deviceSynchronize")

    def getDeviceProperties(self, number):
        return {"name": b"the CPU", "multiProcessorCount": 1, "totalGlobalMem": 1 << 30}

    def driverGetVersion(self):
        return 0

    runtimeGetVersion = driverGetVersion


class RawModule(cuda_on_the_host.HostModule):
    """Kernels on the CPU, which a captured stream records."""

    def get_function(self, name):
        kernel = super().get_function(name)

        def launch(*args, **kwargs):
            launches.append(name)
            kernel(*args, **kwargs)

        def call(grid, block, arguments, shared_mem=0):
            if _recording is None:
                launch(grid, block, arguments, shared_mem=shared_mem)
            else:
                _recording.append(lambda: launch(grid, block, arguments, shared_mem=shared_mem))

        return call


def _eigvalsh(matrix):
    try:
        return numpy.linalg.eigvalsh(matrix)
    except numpy.linalg.LinAlgError:  # cuSOLVER reports it only to a caller that synchronises
        return numpy.full(len(matrix), numpy.nan, matrix.dtype)


class _Module(ModuleType):
    """The array module: the functions above under NumPy's names, and CuPy's additions."""

    __version__ = numpy.__version__
    ndarray = Array
    RawModule = RawModule
    linalg = SimpleNamespace(eigvalsh=lambda matrix: _device(_eigvalsh, matrix))
    cuda = SimpleNamespace(
        Stream=Stream,
        Event=Event,
        get_elapsed_time=lambda before, after: 1000 * (after.at - before.at),
        runtime=_Runtime(),
    )

    def asarray(self, array, dtype=None):
        if isinstance(array, Array):
            return array if dtype in (None, array.dtype) else array.astype(dtype)
        _transfer("asarray")
        return Array(numpy.array(array, dtype))

    array = asarray

    def ascontiguousarray(self, array, dtype=None):
        assert isinstance(array, Array)
        dtype = array.dtype if dtype is None else numpy.dtype(dtype)
        if array.held.flags.c_contiguous and array.dtype == dtype:
            return array
        return _device(numpy.ascontiguousarray, array, dtype=dtype)

    def __getattr__(self, name):
        if name in CONSTANTS:
            return getattr(numpy, name)
        if name in SYNCHRONISING:

            def synchronise(*args, **kwargs):
                _transfer(name)
                found = getattr(numpy, name)(*_unwrap(args), **kwargs)
                return tuple(map(Array, found)) if isinstance(found, tuple) else Array(found)

            return synchronise
        if name not in SAME_AS_NUMPY:
            raise AttributeError(f"the strict array module has no {name}")
        return lambda *args, **kwargs: _device(getattr(numpy, name), *args, **kwargs)


strict = _Module("cupy")  # the backend that it replaces
Array.__module__ = "strict_cupy"
sys.modules["strict_cupy"] = strict  # where an array's class is, its array module is


@contextmanager
def _collected(events):
    before, collected = len(events), []
    yield collected
    collected += events[before:]


def counted(xp):
    """Collect the copies and synchronisations within a context in a list; for CuPy, too."""
    return _collected(transfers) if xp is strict else counted_copies(xp)


def launched():
    """Collect the names of the kernels that the strict arrays run within a context in a list."""
    return _collected(launches)
