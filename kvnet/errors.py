"""The one exception that a user's mistake raises."""


class InputError(ValueError):
    """Something the user gave cannot be used: a file, a line of it, a flag, a checkpoint.

    The message is one line that names the file, the line, the value and the remedy. The command
    line prints it unchanged and exits with code 2.
    """
