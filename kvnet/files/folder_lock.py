"""A folder that one process at a time may write to."""

import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from kvnet.errors import InputError

LOCK = ".lock"
LONGEST_COMMAND = 200  # characters of the other process's command in a message


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Be the only process that writes to a folder; make the folder if it is missing.

    The lock is the operating system's: it ends with the process, however that ends. Readers take no
    lock, so that they work on a read-only folder too.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    InputError
        If another process writes to the folder, or it cannot be made or written to.
    """
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        (folder / LOCK).write_text(
            f"process {os.getpid()} on {socket.gethostname()}: "
            f"{' '.join(sys.argv)[:LONGEST_COMMAND]}\n"
        )
    except Timeout:
        raise InputError(
            f"{folder}: another training writes there ({_holder(folder)}); wait until it has ended "
            "or give another folder"
        ) from None
    except NotImplementedError:  # a file system without locks
        warnings.warn(
            f"{folder}: its file system has no locks; start no second training there", stacklevel=2
        )
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written to ({error.strerror}); give a folder for checkpoints "
            "that can be"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _holder(folder):
    with suppress(OSError, ValueError):
        lines = (folder / LOCK).read_text().splitlines()
        return lines[0] if lines else "another process"
    return "another process"
