"""The exit code of a command, and one line for the error that stopped it."""

import os
import sys
from collections.abc import Callable

from kvnet.backend import is_out_of_memory
from kvnet.errors import InputError


def exit_code(program: str, command: Callable[[], int]) -> int:
    """Run a command and report an error in one line on standard error.

    Parameters
    ----------
    program : str
        The name at the beginning of the line.
    command : callable
        Returns the exit code.

    Returns
    -------
    code : int
        The command's; 2 after an error in the input, a full disk or too little memory; 130 after
        Ctrl-C; 141 if standard output was closed.
    """
    sys.stdout.reconfigure(errors="replace")  # an ASCII terminal shows ? for ±, not a traceback
    try:
        code = command()
        sys.stdout.flush()
        return code
    except InputError as error:
        problem = f"error: {error}"
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        what = str(error).rstrip(".")
        problem = f"error: out of memory ({what}); use smaller sizes, or a smaller batch_size"
    except KeyboardInterrupt:
        print(f"{program}: interrupted; files written so far are complete", file=sys.stderr)
        return 130
    except BrokenPipeError:  # as in `... | head`
        _drop_output()
        return 141
    except OSError as error:
        _drop_output()
        problem = f"error: standard output cannot be written ({error.strerror}); free some space"
    print(f"{program}: {problem}", file=sys.stderr)
    return 2


def _drop_output():
    """Discard what Python would still write when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
