"""A training from Python: with progress, and with Ctrl-C between two steps."""

import numbers
import os
import threading
import warnings
from contextlib import nullcontext

from kvnet.errors import InputError
from kvnet.kernels import kernel_threads
from kvnet.training.compiling import announce_compilation
from kvnet.training.fused_steps import why_not_fused
from kvnet.training.progress import Progress
from kvnet.training.run import Run, train_runs
from kvnet.training.stop import StopRequest


def check_random_state(random_state: int) -> None:
    """Raise an `InputError` unless a seed is a whole number from 0 to 2**32 - 1."""
    if not isinstance(random_state, numbers.Integral) or not 0 <= random_state < 2**32:
        raise InputError(
            f"random_state={random_state!r} is out of range; it takes a whole number from 0 to "
            f"{2**32 - 1}"
        )


def train_to_end(run: Run, verbose: bool) -> None:
    """Train a run to its end.

    Parameters
    ----------
    run : Run
    verbose : bool
        Show the progress on standard error.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, between two steps.
    """
    reason = why_not_fused([run.trainer])
    if run.model.kernels == "fused" and reason:
        warnings.warn(reason, stacklevel=3)  # names the caller of fit
    progress = Progress([run], "training", quiet=not verbose)
    in_main_thread = threading.current_thread() is threading.main_thread()
    # Python delivers signals to the main thread only.
    with StopRequest() if in_main_thread else nullcontext(False) as stop:
        try:
            with kernel_threads(os.cpu_count() or 1), announce_compilation():
                finished = train_runs([run], progress.step, lambda: bool(stop))
        finally:
            progress.close()
    if stop or not finished:  # a signal in the last steps must not be lost
        raise KeyboardInterrupt
