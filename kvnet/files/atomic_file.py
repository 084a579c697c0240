"""Files that are written completely or not at all."""

import os
import tempfile
from pathlib import Path

from kvnet.errors import InputError

UMASK = os.umask(0)  # the only portable way to read it is to set it
os.umask(UMASK)


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file under a temporary name in the same folder, then rename it.

    Parameters
    ----------
    path : str or Path
        A file already there is replaced in one move; it stays as it is if anything fails.
    content : bytes

    Raises
    ------
    InputError
        If the folder is missing, the disk is full, or the like.
    """
    path = Path(path).resolve()  # what a link points to is replaced, not the link
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is not a regular file; give another name")
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # a rename may reach the disk before the content does
        os.chmod(temporary, 0o666 & ~UMASK)  # mkstemp makes files for the owner only
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); nothing there was changed; "
            "check the folder, its permissions and the free space"
        ) from error
    except BaseException:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
        raise
