"""The lines of a text file, and the text between line ends."""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

from kvnet.errors import InputError

LINE_END = re.compile(r"\r\n|\r|\n")


def split_lines(text: str) -> list[str]:
    """Split a text at line feeds, carriage returns and pairs of them, and at nothing else.

    Parameters
    ----------
    text : str

    Returns
    -------
    lines : list of str
        Without their ends. A text that ends in a line end has no further, empty line.
    """
    lines = LINE_END.split(text)
    return lines[:-1] if not lines[-1] else lines


def read_lines(path: Path, example: str) -> Iterator[tuple[str, str]]:
    """Read the lines of a UTF-8 file.

    Parameters
    ----------
    path : Path
    example : str
        What the file should contain, for the message about an empty one.

    Yields
    ------
    where : str
        The file and the number of the line, for messages.
    line : str
        The line without its end.

    Raises
    ------
    InputError
        If the file cannot be read, has no text, or a line is not UTF-8 text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    content = content.removeprefix(BOM_UTF8)
    if not content.strip():
        raise InputError(f"{path}: the file is empty; {example}")
    for number, raw in enumerate(content.splitlines(), start=1):  # bytes split at \n and \r only
        where = f"{path}, line {number}"
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{where}: byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8 text"
            ) from None
        if "\0" in line:
            raise InputError(f"{where}: contains a zero byte; give a text file")
        yield where, line
