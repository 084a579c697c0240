"""What every training command does: keep checkpoints, train runs, choose among starts, stop."""

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy

from kvnet.files.atomic_file import write_atomically
from kvnet.cli.progress import Progress
from kvnet.errors import InputError
from kvnet.training.run import Run, train_runs

CHECKPOINT = "checkpoint.safetensors"
CHOICES_AMONG_STARTS = ("validation", "training")


def speaker(quiet: bool) -> Callable[[str], None]:
    """Return what prints a line on standard error, or nothing if quiet."""

    def say(text):
        if not quiet:
            print(text, file=sys.stderr, flush=True)

    return say


def check_checkpoints(flag: str, folder: str | None, resume: bool, planned: list[Path]) -> None:
    """Refuse to overwrite a checkpoint, and to resume where a command has none.

    Parameters
    ----------
    flag : str
        What the folder was given with.
    folder : str or None
    resume : bool
    planned : list of Path
        The files that the command would write.

    Raises
    ------
    InputError
    """
    if folder is None:
        if resume:
            raise InputError(f"--resume needs {flag} DIR, the folder to go on from")
        return
    held = sorted(Path(folder).rglob(CHECKPOINT))
    if held and not resume:
        raise InputError(
            f"{flag}: {held[0]} is there already; add --resume to go on from it, or give "
            "another folder"
        )
    if resume and not any(path.exists() for path in planned):
        remedy = (
            f"it has {held[0].relative_to(folder)}; repeat the flags of the command that wrote it"
            if held
            else "drop --resume to begin"
        )
        raise InputError(f"--resume: {folder} holds no {planned[0].relative_to(folder)}; {remedy}")


def checkpoint_in(folder: str, flag: str) -> Path:
    """Return a folder's checkpoint.

    Raises
    ------
    InputError
        If there is none.
    """
    path = Path(folder) / CHECKPOINT
    if not path.exists():
        below = sorted(Path(folder).rglob(CHECKPOINT))
        remedy = f"give one of its folders, such as {below[0].parent}" if below else "train first"
        raise InputError(f"{flag}: {path.parent} holds no {CHECKPOINT}; {remedy}")
    return path


def train_starts(runs: Sequence[Run], name: str, arguments, records: list[dict], stop) -> bool:
    """Train a command's starts: side by side on a GPU, in turn on the processor.

    Parameters
    ----------
    runs : sequence of Run
    name : str
        What they train, for the progress.
    arguments : argparse.Namespace
        Its `resume`, `quiet` and `log_file` count.
    records : list of dict
        What the command has logged; the runs' evaluations are added.
    stop : StopRequest

    Returns
    -------
    finished : bool
    """
    in_turn = runs[0].model.xp is numpy
    for group in [[run] for run in runs] if in_turn else [runs]:
        told = name
        if len(runs) > 1:
            starts = [str(run.start) for run in group]
            told += f", start {starts[0]}" if in_turn else f", starts {starts[0]} to {starts[-1]}"
        if not _train_group(group, told, arguments, records, stop):
            return False
        records += [record for run in group for record in run.history]
    return True


def _train_group(runs, name, arguments, earlier, stop) -> bool:
    """Train runs side by side to their end, or to the stop; keep the log file up to date."""
    for run in runs:
        _make_folder(run)
        if arguments.resume:
            run.resume()
    progress = Progress(runs, name, arguments.quiet)
    logged = None

    def log():
        nonlocal logged
        records = [record for run in runs for record in run.history]
        if arguments.log_file and len(records) != logged:
            logged = len(records)
            lines = "".join(json.dumps(record) + "\n" for record in earlier + records)
            write_atomically(arguments.log_file, lines.encode())

    def on_steps(count):
        progress.step(count)
        log()

    log()  # what resumed runs have behind them
    try:
        return train_runs(runs, on_steps, lambda: bool(stop))
    finally:
        progress.close()


def _make_folder(run):
    """Make the folder of a run's checkpoint."""
    if run.checkpoint is None:
        return
    try:
        run.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{run.checkpoint.parent}: cannot be made ({error.strerror}); give a folder for "
            "checkpoints that can be written"
        ) from error


def choose(runs: list, say: Callable[[str], None], by: str = "validation") -> Run:
    """Return the run that is best by validation or training loss, the first of equals."""

    def score(run):
        return run.score(run.result) if by == "validation" else -run.result["loss"]

    best = max(runs, key=score)
    if len(runs) > 1:
        for run in runs:
            mark = "  <- chosen" if run is best else ""
            place = f", {run.checkpoint.parent}" if run.checkpoint else ""
            told = f"loss {run.result['loss']:.4f}, " if by == "training" else ""
            say(f"start {run.start}{place}: {told}{run.told(run.result)}{mark}")
    return best


def say_stopped(stop, runs: Sequence[Run], flag: str, program: str, argv: list[str]) -> int:
    """Say where a command's runs were stopped and how they go on; return the exit code."""
    run = next(run for run in runs if not run.finished)
    where = f"stopped after epoch {run.trainer.epoch}, step {run.trainer.step}"
    if run.checkpoint is None:
        print(f"{where}; nothing was kept, since no {flag} was given", file=sys.stderr)
    else:
        again = shlex.join([a for a in argv if a != "--resume"] + ["--resume"])
        command = f"python {sys.argv[0]}" if program.endswith(".py") else program
        print(f"{where}; to go on: {command} {again}", file=sys.stderr)
    return 128 + stop.signal
