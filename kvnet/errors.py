"""The one exception that a user's mistake raises."""

LONGEST_MESSAGE = 1000  # characters; a line of a user's file may have millions
LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
ESCAPED = {ord(character): repr(character)[1:-1] for character in LINE_ENDS}


class InputError(ValueError):
    """Something the user gave cannot be used: a file, a line of it, a flag, a checkpoint.

    The message is one line that names the file, the line, the value and the remedy. The command
    line prints it unchanged and exits with code 2.
    """

    def __init__(self, message: str):
        super().__init__(one_line(message))


def one_line(message: str) -> str:
    """Return a message with line ends escaped, and without its middle if it is very long."""
    if len(message) > LONGEST_MESSAGE:
        half = LONGEST_MESSAGE // 2
        message = f"{message[:half]} [...] {message[-half:]}"
    return message.translate(ESCAPED)
