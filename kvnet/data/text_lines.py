"""Lines of a UTF-8 text file, with one message for each way in which it can be unusable."""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from kvnet.errors import InputError

MAX_NAME = 1000
"""Characters of the longest name of an entity or a relation."""


def shortened(text: str, most: int = 60) -> str:
    """Return a text for a message: about `most` characters of it, on one line."""
    text = text[: most + 1].replace("\t", "<TAB>")
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= most else text[: most - 3] + "..."


def read_lines(path: Path, expected: str) -> list[str]:
    r"""Read the lines of a text file; a line ends with ``\n`` or ``\r\n``.

    Parameters
    ----------
    path : Path
    expected : str
        What the file should contain, for the message about an empty file.

    Returns
    -------
    lines : list of str
        At least one of them is not empty.

    Raises
    ------
    InputError
        If the file cannot be read, is empty, is not UTF-8 or has a zero byte.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise InputError(f"{path}, line 1: is UTF-16, not UTF-8; save the file as UTF-8 text")
    content = content.removeprefix(BOM_UTF8)
    zero = content.find(b"\0")
    if zero >= 0:
        line = content.count(b"\n", 0, zero) + 1
        raise InputError(f"{path}, line {line}: contains a zero byte; give a text file in UTF-8")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8; save the file "
            "as UTF-8 text"
        ) from None
    if not text.strip():
        raise InputError(f"{path}: the file is empty; write {expected}")
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    return text.split("\n")


def check_name(name: str, where: str) -> None:
    """Check the name of an entity or a relation.

    Raises
    ------
    InputError
        If it is not a text, is empty, or has more than `MAX_NAME` characters.
    """
    if not isinstance(name, str):
        raise InputError(f"{where}: {shortened(repr(name))} is not a text; give names as text")
    if not name.strip():
        raise InputError(f"{where}: a name is empty; give all three names of the fact")
    if len(name) > MAX_NAME:
        raise InputError(
            f"{where}: the name {shortened(name, 30)!r} has {len(name):,} characters; names may "
            f"have {MAX_NAME:,}; shorten it, or check the separators"
        )
