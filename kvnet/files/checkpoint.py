"""Checkpoint files: arrays in the safetensors format, with JSON metadata in the same file.

A state is one file, so that one rename replaces all of it. A checksum of arrays and metadata is
compared when the file is read. `read_metadata` checks the metadata against a schema.
"""

import hashlib
import json
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from kvnet.backend import to_numpy
from kvnet.errors import InputError
from kvnet.files.atomic_file import as_path, write_atomically

LONGEST_REASON = 200  # characters of another library's message
Schema = TypeVar("Schema", bound=msgspec.Struct)


def write_arrays(path: str | Path, arrays: dict[str, numpy.ndarray], metadata: dict) -> None:
    """Write named arrays and metadata to one file, atomically.

    Parameters
    ----------
    path : str or Path
    arrays : dict of str to numpy.ndarray
    metadata : dict
        Ready for JSON; stored after the checksum under the key ``kvnet`` of the file's header.
        With several keys their order in the file would be random.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    contiguous = {name: numpy.ascontiguousarray(array) for name, array in arrays.items()}
    text = json.dumps(metadata)
    header = {"kvnet": f"{_checksum(text, contiguous)} {text}"}
    write_atomically(path, save(contiguous, metadata=header))


def _checksum(text, arrays):
    """Return the SHA-256 of metadata and of arrays with their names, dtypes and shapes."""
    sha = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        sha.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        sha.update(array.data)
    return sha.hexdigest()


def named(arrays: dict, prefix: str) -> dict[str, numpy.ndarray]:
    """Return arrays of either backend as NumPy arrays, with a prefix before their names."""
    return {prefix + name: to_numpy(array) for name, array in arrays.items()}


def read_arrays(path: str | Path) -> tuple[dict[str, numpy.ndarray], dict]:
    """Read what `write_arrays` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    arrays : dict of str to numpy.ndarray
    metadata : dict

    Raises
    ------
    InputError
        If the file is missing, truncated, not a safetensors file, without kvnet's metadata, or has
        arrays that differ from what was written or are not finite. No code in a file is ever run: a
        pickle is refused like any other foreign file.
    """
    path = as_path(path)
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error}); check the path") from None
    except (SafetensorError, TypeError, AttributeError) as error:  # NumPy lacks some dtypes
        raise InputError(
            f"{path}: is truncated or not a safetensors file of NumPy arrays ({_reason(error)}); "
            "give a checkpoint that kvnet wrote"
        ) from None
    text, checksum = header.get("kvnet", ""), ""
    if not text.startswith("{"):
        checksum, _, text = text.partition(" ")
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        raise InputError(f"{path}: has no kvnet metadata; give a checkpoint that kvnet wrote")
    if not checksum:
        raise InputError(
            f"{path}: has no checksum, since an earlier version of kvnet wrote it; train again"
        )
    if checksum != _checksum(text, arrays):
        raise InputError(
            f"{path}: its content is not what was written (the checksum differs); the file is "
            "damaged, give another copy or train again"
        )
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or not numpy.isfinite(array).all():
            is_number = array.dtype.kind in "fiu"
            problem = "has NaN or infinity" if is_number else f"is of {array.dtype}"
            raise InputError(f"{path}: the array {name[:LONGEST_REASON]!r} {problem}; give another")
    return arrays, metadata


def _reason(error):
    """Return another library's message as a part of a line."""
    text = " ".join(str(error).split())
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}..."


def read_metadata(path: str | Path, metadata: dict, schema: type[Schema]) -> Schema:
    """Read a part of a file's metadata, every value checked for its type and range.

    Parameters
    ----------
    path : str or Path
        The file, for the message.
    metadata : dict
    schema : type
        A `msgspec.Struct` whose fields are the part. Others are not looked at.

    Returns
    -------
    metadata : Schema

    Raises
    ------
    InputError
        If a field is missing or has another type; the message names it.
    """
    try:
        return msgspec.convert(metadata, schema)
    except (msgspec.ValidationError, RecursionError) as error:
        raise InputError(
            f"{path}: its metadata is damaged ({_reason(error)}); give another file"
        ) from None
