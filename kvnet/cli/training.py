"""What every training command does: check checkpoints, train runs, choose among starts, stop."""

import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy

from kvnet.cli.outputs import Outputs
from kvnet.errors import InputError
from kvnet.files.folder_lock import only_writer
from kvnet.free_memory import check_memory
from kvnet.training.fused_steps import why_not_fused
from kvnet.training.progress import Progress, evaluation_text
from kvnet.training.run import Run, train_runs

CHECKPOINT = "checkpoint.safetensors"
MOST_RESTARTS = 10_000
CHOICES_AMONG_STARTS = ("validation", "training")


def make_printer(quiet: bool) -> Callable[[str], None]:
    """Return a function that prints a line on standard error, or does nothing if quiet."""

    def say(text):
        if not quiet:
            print(text, file=sys.stderr, flush=True)

    return say


def check_checkpoints(
    flag: str, folder: str | None, resume: bool, planned: list[Path], locks: ExitStack
) -> None:
    """Refuse to overwrite a checkpoint, and to resume without one; lock the planned folders.

    Parameters
    ----------
    flag : str
        The flag of the folder.
    folder : str or None
    resume : bool
    planned : list of Path
        The files that the command will write.
    locks : ExitStack
        Keeps the folders of these files locked for other writers.

    Raises
    ------
    InputError
    """
    if folder is None:
        if resume:
            raise InputError(f"--resume needs {flag} DIR, the folder to continue from")
        return
    _check_present(flag, Path(folder), resume, planned)
    for path in planned:
        locks.enter_context(only_writer(path.parent))
    _check_present(flag, Path(folder), resume, planned)  # nothing was written in the meantime


def _check_present(flag, folder, resume, planned):
    held = sorted(folder.rglob(CHECKPOINT))
    if held and not resume:
        raise InputError(
            f"{flag}: {held[0]} exists already; add --resume to continue from it, or give "
            "another folder"
        )
    if resume and not any(path.exists() for path in planned):
        remedy = (
            f"it has {held[0].relative_to(folder)}; repeat the flags of the command that wrote it"
            if held
            else "drop --resume to begin"
        )
        raise InputError(f"--resume: {folder} has no {planned[0].relative_to(folder)}; {remedy}")


def checkpoint_in(folder: str, flag: str) -> Path:
    """Return the checkpoint in a folder.

    Raises
    ------
    InputError
        If there is none.
    """
    path = Path(folder) / CHECKPOINT
    if not path.exists():
        below = sorted(Path(folder).rglob(CHECKPOINT))
        remedy = f"give one of its folders, such as {below[0].parent}" if below else "train first"
        raise InputError(f"{flag}: {path.parent} has no {CHECKPOINT}; {remedy}")
    return path


class Training:
    """The trainings of one command.

    Parameters
    ----------
    resume : bool
        Continue from checkpoints.
    quiet : bool
        Show no progress.
    outputs : Outputs
        Written after each evaluation.
    stop : StopRequest
    say : callable
        Prints a line of text.
    """

    def __init__(self, resume: bool, quiet: bool, outputs: Outputs, stop, say):
        self.resume, self.quiet, self.outputs = resume, quiet, outputs
        self.stop, self._say = stop, say
        self._records, self._said = [], set()

    def train(
        self, new_run: Callable[[int], Run], starts: int, name: str
    ) -> tuple[list[Run], bool]:
        """Train starts to their end or to a stop: together on a GPU, in turn on the CPU.

        Parameters
        ----------
        new_run : callable
            Returns the run of a start, given its index.
        starts : int
        name : str
            Shown with the progress.

        Returns
        -------
        runs : list of Run
            Those that have begun.
        finished : bool
        """
        runs = [new_run(0)]
        self._check_memory(runs[0], starts)
        self.say_once(runs[0].trainer.batches.note)
        self.say_once(_large_batch_text(runs[0]))
        if runs[0].model.xp is not numpy:
            runs += map(new_run, range(1, starts))
            label = f"{name}, starts 0 to {starts - 1}" if starts > 1 else name
            return runs, self._train_together(runs, label)
        for start in range(starts):
            runs += [new_run(start)] if start else []
            label = f"{name}, start {start} (of 0 to {starts - 1})" if starts > 1 else name
            if not self._train_together(runs[start:], label):
                return runs, False
        return runs, True

    def say_once(self, text: str | None) -> None:
        """Print a line of text, unless it is None or was printed before."""
        if text and text not in self._said:
            self._said.add(text)
            self._say(text)

    def _check_memory(self, run, starts):
        vectors = 1 + len(run.trainer.optimizer.vectors)
        if run.model.xp is numpy and starts > 1:
            bytes_each = vectors * run.model.theta.nbytes
            check_memory(starts * bytes_each, f"--restarts {starts}", "use fewer")

    def _train_together(self, runs, label):
        if runs[0].model.kernels == "fused":
            self.say_once(why_not_fused([run.trainer for run in runs]))
        for run in runs:
            if self.resume:
                run.resume()
        progress = Progress(runs, label, self.quiet)

        def evaluations():
            return self._records + [record for run in runs for record in run.history]

        def on_steps(count):
            progress.step(count)
            self.outputs.update(evaluations())

        self.outputs.update(evaluations())  # of resumed runs
        try:
            finished = train_runs(runs, on_steps, lambda: bool(self.stop))
        except InputError:  # such as a training that diverged
            self.outputs.flush()
            raise
        finally:
            progress.close()
        if finished:
            self._records = evaluations()
        else:
            self.outputs.flush()
        return finished


def _large_batch_text(run):
    """Say that an epoch is one large step, which shows no progress for long, or return None."""
    size, count = run.trainer.batches.batch_size, len(run.trainer.dataset)
    if size < 10 * count:
        return None
    name = run.recipe.setting("batch_size", size)
    return f"{name}: an epoch is one step of {size:,} {run.unit}, drawn from {count:,}"


def choose(runs: list, say: Callable[[str], None], by: str = "validation") -> Run:
    """Return the run with the best validation score or training loss, the first of equal ones."""

    def score(run):
        return run.score(run.result) if by == "validation" else -run.result["loss"]

    best = max(runs, key=score)
    if len(runs) > 1:
        for run in runs:
            mark = "  <- chosen" if run is best else ""
            place = f", {run.checkpoint.parent}" if run.checkpoint else ""
            loss = f"loss {run.result['loss']:.4f}, " if by == "training" else ""
            say(f"start {run.start}{place}: {loss}{evaluation_text(run.result)}{mark}")
    return best


def report_stop(stop, runs: Sequence[Run], flag: str, program: str, argv: list[str]) -> int:
    """Report where the runs of a command were stopped and how to continue; return the exit code."""
    run = next(run for run in runs if not run.finished)
    where = f"stopped after epoch {run.trainer.epoch}, step {run.trainer.step}"
    if run.checkpoint is None:
        print(f"{where}; nothing was saved, since there was no {flag}", file=sys.stderr)
    else:
        again = shlex.join([a for a in argv if a != "--resume"] + ["--resume"])
        command = f"python {sys.argv[0]}" if program.endswith(".py") else program
        print(f"{where}; to continue: {command} {again}", file=sys.stderr)
    return 128 + stop.signal
