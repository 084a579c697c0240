"""Compilation with a cache of compiled kernels on disk that no damage, race or full disk breaks.

Numba's own cache has an index and data files that several processes can mix up, fails where its
files are damaged or cannot be written, and does not notice when a module that a kernel imports from
has changed. Here a compiled kernel is one file with a checksum, written under a temporary name and
renamed. Its name contains a digest of all sources.
"""

import hashlib
import os
import pickle
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numba
from numba.core.caching import CompileResultCacheImpl, _Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from kvnet import counter_random

DIGEST = 32  # bytes of a SHA-256
_LIBRARY, _KERNELS = Path(counter_random.__file__).parent, Path(__file__).parents[1]
_FOLDERS = _KERNELS, _KERNELS / "parts", _LIBRARY, _LIBRARY / "operations", _LIBRARY / "updates"
SOURCES = sorted(path for folder in _FOLDERS for path in folder.glob("*.py"))
_folders = {}  # of a source: where its compiled functions are


def njit(**options) -> Callable:
    """Return a decorator that compiles a function as Numba's does, with the cache of this module.

    Parameters
    ----------
    **options
        Of `numba.njit`, without ``cache``.
    """

    def decorate(function):
        compiled = numba.njit(**options)(function)
        compiled._cache = KernelCache(function)
        return compiled

    return decorate


@cache
def _digest_of_sources():
    sha = hashlib.sha256()
    for source in SOURCES:
        sha.update(source.name.encode() + source.read_bytes())
    return sha.hexdigest()[:12]


def _folder_for(function):
    """Return the folder that Numba would keep a compiled function in, or None if it finds none."""
    source = Path(function.__code__.co_filename).parent
    if source not in _folders:
        try:
            _folders[source] = Path(CompileResultCacheImpl(function).locator.get_cache_path())
        except RuntimeError:  # neither next to the sources nor in the home folder
            _folders[source] = None
    return _folders[source]


@cache  # once per reason
def _say_not_kept(reason):
    warnings.warn(
        f"compiled kernels cannot be kept ({reason}), so every start compiles them again; set "
        "NUMBA_CACHE_DIR to a folder that can be written",
        stacklevel=2,
    )


class KernelCache(_Cache):
    """The compiled forms of one function, as Numba's dispatcher asks for them.

    Parameters
    ----------
    function : callable
        The Python function.
    """

    def __init__(self, function: Callable):
        self._function, self._enabled = function, True

    @property
    def cache_path(self) -> str:
        """The folder, for Numba's statistics."""
        return str(self._folder)

    @property
    def _folder(self):
        return _folder_for(self._function)

    def enable(self) -> None:
        """Use the cache."""
        self._enabled = True

    def disable(self) -> None:
        """Use no cache."""
        self._enabled = False

    def flush(self) -> None:
        """Delete all compiled forms of the function."""
        for path in self._files():
            _delete(path)

    def load_overload(self, sig, target_context) -> CompileResult | None:
        """Return the compiled form of a signature, or None; a damaged file is deleted."""
        target_context.refresh()
        if not self._enabled or self._folder is None:
            return None
        path = self._path(sig, target_context.codegen())
        try:
            content = path.read_bytes()
        except OSError:
            return None
        digest, payload = content[:DIGEST], content[DIGEST:]
        if hashlib.sha256(payload).digest() == digest:
            with suppress(Exception):  # of a Numba that was changed without a new version
                return CompileResult._rebuild(target_context, *pickle.loads(payload))
        _delete(path)
        return None

    def save_overload(self, sig, data: CompileResult) -> None:
        """Write the compiled form of a signature, and delete those of earlier sources."""
        if not self._enabled or data.library.has_dynamic_globals:
            return
        folder = self._folder
        if folder is None:
            _say_not_kept("neither next to the sources nor in the home folder")
            return
        path, payload, temporary = self._path(sig, data.codegen), dumps(data._reduce()), None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".kernel.", dir=folder)
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(payload).digest() + payload)
            os.replace(temporary, path)
        except OSError as error:
            if temporary is not None:
                _delete(Path(temporary))
            _say_not_kept(f"{folder}: {error.strerror}")
        for old in self._files():
            if f".{_digest_of_sources()}." not in old.name:
                _delete(old)

    def _files(self):
        return [] if self._folder is None else list(self._folder.glob(f"{self._name}.*.kernel"))

    @property
    def _name(self):
        code = self._function.__code__
        return f"{Path(code.co_filename).stem}.{self._function.__name__}"

    def _path(self, sig, codegen):
        key = numba.__version__, sys.version, str(sig), codegen.magic_tuple()
        code = hashlib.sha256(repr(key).encode() + self._function.__code__.co_code).hexdigest()[:20]
        return self._folder / f"{self._name}.{_digest_of_sources()}.{code}.kernel"


def _delete(path):
    with suppress(OSError):  # already deleted, or another user's
        path.unlink()
