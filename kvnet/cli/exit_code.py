"""The exit code of a command, and one line for the error that stopped it."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from kvnet.backend import is_out_of_memory
from kvnet.errors import InputError, one_line


def exit_code(program: str, command: Callable[[], int]) -> int:
    """Run a command and report an error in one line on standard error.

    Standard error that is closed or full changes nothing else: the lines on it are lost.

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
        Ctrl-C; 141 if standard output was closed by its reader.
    """
    with _standard_streams(program):
        problem, code = None, 2
        try:
            try:
                _check_output()
                code = command()
            finally:  # argparse exits after --help: is it all written?
                sys.stdout.flush()
        except InputError as error:
            problem = f"error: {error}"
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            what = str(error).rstrip(".")
            reason = f" ({what})" if what else ""
            problem = f"error: out of memory{reason}; use smaller sizes, or a smaller batch_size"
        except KeyboardInterrupt:
            problem, code = "interrupted; files written so far are complete", 130
        except BrokenPipeError:  # as in `... | head`
            _drop(sys.stdout)
            code = 141
        except OSError as error:
            if error.filename is not None:
                problem = f"error: {error.filename}: {error.strerror}; check the path"
            else:
                _drop(sys.stdout)
                problem = (
                    f"error: standard output cannot be written ({error.strerror}); free some "
                    "space or redirect it elsewhere"
                )
        if problem:
            print(f"{program}: {one_line(problem)}", file=sys.stderr)
        return code


class _Unfailing:
    """A stream whose writes do not fail: what cannot be written is lost."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        try:
            self._stream.write(text)
        except OSError:
            _drop(self._stream)
        return len(text)

    def flush(self):
        try:
            self._stream.flush()
        except OSError:
            _drop(self._stream)

    def __getattr__(self, name):
        return getattr(self._stream, name)


@contextmanager
def _standard_streams(program) -> Iterator[None]:
    """Make the standard streams safe to write to, and each warning one line, inside the context."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: a file would get its number, and what C libraries write
            os.open(os.devnull, os.O_RDWR)
    before = sys.stderr, warnings.showwarning
    # The stream is not closed: whoever kept it may still write to it.
    stream = open(os.devnull, "w") if sys.stderr is None else sys.stderr  # noqa: SIM115
    sys.stderr = _Unfailing(stream)

    def show(message, *others, **more):
        print(f"{program}: {message}", file=sys.stderr)

    warnings.showwarning = show
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr, warnings.showwarning = before


def _check_output():
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise InputError(
            "standard output is closed, and the results are printed there; redirect it to a file "
            "or to /dev/null"
        )
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # an ASCII terminal shows ? for ±, no traceback


def _drop(stream):
    """Discard what Python would still write to a stream when it exits."""
    with suppress(OSError, ValueError):  # a stream in memory has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
