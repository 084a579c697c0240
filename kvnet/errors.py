"""The one exception that a user's mistake raises, and how its message shows values and settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LONGEST_SHOWN = 80  # characters of a user's text in a message
LONGEST_MESSAGE = 1000  # characters; a line of a user's file may have millions
_as_flags = ContextVar("settings are shown as flags", default=False)


class InputError(ValueError):
    """Something the user gave cannot be used: a file, a line of it, a flag, a checkpoint.

    The message is one line that names the file, the line, the value and the remedy. The command
    line prints it unchanged and exits with code 2.

    Parameters
    ----------
    message : str
        Becomes one line, see `one_line`, whatever a file name in it contains.
    """

    def __init__(self, message: str):
        super().__init__(one_line(message))


def one_line(message: str) -> str:
    """Return a message with control characters escaped, without its middle if very long."""
    if len(message) > LONGEST_MESSAGE:
        half = LONGEST_MESSAGE // 2
        message = f"{message[:half]} [...] {message[-half:]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)


def shown(value: object) -> str:
    """Return a value as a message shows it: its ``repr``, cut in the middle if it is long.

    Parameters
    ----------
    value : object

    Returns
    -------
    text : str
        One line, whatever the value contains.
    """
    if isinstance(value, str) and len(value) > LONGEST_SHOWN:
        half = LONGEST_SHOWN // 2
        return f"{value[:half]!r} ... {value[-half:]!r} ({len(value):,} characters)"
    try:
        text = repr(value)
    except ValueError:  # Python does not print integers of more than 4,300 digits
        text = f"a number of {value.bit_length():,} bits"
    if len(text) > 2 * LONGEST_SHOWN:
        text = f"{text[:LONGEST_SHOWN]} ... {text[-LONGEST_SHOWN:]}"
    return text


def setting(name: str, value: object = None, flag: str | None = None) -> str:
    """Return a setting as its user writes it, for a message.

    Parameters
    ----------
    name : str
        The name in Python.
    value : object, optional
        Shown with the name.
    flag : str, optional
        The name on the command line, if it differs.

    Returns
    -------
    text : str
        ``"batch_size=50"`` in Python; ``"--batch-size 50"`` inside `settings_as_flags`.
    """
    if not _as_flags.get():
        return name if value is None else f"{name}={shown(value)}"
    text = "--" + (flag or name).replace("_", "-")
    if value is None or value is True:
        return text
    plain = isinstance(value, str) and len(value) <= LONGEST_SHOWN and value.isidentifier()
    return f"{text} {value if plain else shown(value)}"


@contextmanager
def settings_as_flags() -> Iterator[None]:
    """Show settings as the flags of a command in all messages inside the context."""
    token = _as_flags.set(True)
    try:
        yield
    finally:
        _as_flags.reset(token)
