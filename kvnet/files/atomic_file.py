"""Files that are written completely or not at all."""

import os
import tempfile
from pathlib import Path

from kvnet.errors import InputError

UMASK = os.umask(0)  # the only portable way to read it is to set it
os.umask(UMASK)


def as_path(path: str | Path) -> Path:
    """Return the path of a file, given by its name.

    Raises
    ------
    InputError
        If it is not a name, is empty, or has a character that no file name has.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"path={path!r} is a {type(path).__name__}; give the name of a file")
    if not os.fspath(path) or "\0" in os.fsdecode(path):
        raise InputError(f"path={os.fspath(path)!r} is not the name of a file; give one")
    return Path(os.fsdecode(path))


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
    path = as_path(path).resolve()  # what a link points to is replaced, not the link
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
