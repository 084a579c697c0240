"""Checkpoint files: arrays in the safetensors format, with JSON metadata in the same file.

A state is one file, so that one rename replaces all of it.
"""

import json
from pathlib import Path

import numpy
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from kvnet.backend import to_numpy
from kvnet.errors import InputError
from kvnet.files.atomic_file import write_atomically


def write_arrays(path: str | Path, arrays: dict[str, numpy.ndarray], metadata: dict) -> None:
    """Write named arrays and metadata to one file, atomically.

    Parameters
    ----------
    path : str or Path
    arrays : dict of str to numpy.ndarray
    metadata : dict
        Ready for JSON; stored under the key ``kvnet`` of the file's header.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    contiguous = {name: numpy.ascontiguousarray(array) for name, array in arrays.items()}
    write_atomically(path, save(contiguous, metadata={"kvnet": json.dumps(metadata)}))


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
        If the file is missing, truncated, not a safetensors file or without kvnet's metadata.
        No code in a file is ever run: a pickle is refused like any other foreign file.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = json.loads((file.metadata() or {})["kvnet"])
            if not isinstance(metadata, dict):
                raise ValueError("its metadata is not a JSON object")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error}); check the path") from None
    except SafetensorError as error:
        raise InputError(
            f"{path}: is truncated or not a safetensors file ({error}); give a checkpoint that "
            "kvnet wrote"
        ) from None
    except (KeyError, ValueError):
        raise InputError(
            f"{path}: has no kvnet metadata; give a checkpoint that kvnet wrote"
        ) from None
    return arrays, metadata
