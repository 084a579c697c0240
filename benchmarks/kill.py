"""Kill every command at random moments: resumed, it must end with the same bits.

    python benchmarks/kill.py --kills 200 --seed 0

For each command, one process trains to its end without a checkpoint folder of its own being
touched. Then processes are killed by SIGKILL after a random time and resumed, again and again,
until one ends; its checkpoint must have the bits of the first. What a kill leaves must be loadable.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kvnet.errors import InputError
from kvnet.files.checkpoint import read_arrays

ROOT = Path(__file__).parents[1]
SMALL = ["--task-id", "1", "--questions-per-task", "400", "--embedding-size", "10"]
COMMANDS = {
    "bow": ["train_babi.py", *SMALL, "--epochs", "400", "--checkpoint"],
    "simple_gru": [
        *("train_babi.py", *SMALL, "--reader", "simple_gru", "--feature-size", "10"),
        *("--epochs", "40", "--checkpoint"),
    ],
    "memn2n": ["train_babi.py", "--model", "memn2n", *SMALL, "--epochs", "60", "--checkpoint"],
    "language model": [
        *("train_lm.py", "--edim", "16", "--lindim", "8", "--nhop", "2", "--mem-size", "20"),
        *("--nepoch", "3", "--averaging", "1", "--checkpoint-dir"),
    ],
}


def start(command: list[str], folder: Path, resume: bool) -> subprocess.Popen:
    """Start a command that keeps its state in a folder."""
    script, *flags = command
    again = ["--resume"] if resume else []
    quiet = ["--show", "false"] if script == "train_lm.py" else ["--quiet"]
    return subprocess.Popen(
        [sys.executable, ROOT / script, *flags, str(folder), *quiet, *again],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def bits_of(folder: Path) -> tuple:
    """Return all arrays and the history of a checkpoint."""
    arrays, metadata = read_arrays(folder / "checkpoint.safetensors")
    return {name: array.tobytes() for name, array in arrays.items()}, metadata["history"]


def kill_until_done(name: str, folder: Path, seconds: float, kills: int, draw) -> tuple[int, list]:
    """Kill a command up to `kills` times and resume it; return the kills and what went wrong."""
    done, problems, path = 0, [], folder / "checkpoint.safetensors"
    while True:
        process = start(COMMANDS[name], folder, path.exists())
        try:
            _, error = process.communicate(
                timeout=None if done >= kills else draw.uniform(0.05, seconds)
            )
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            done += 1
            leftovers = [p for p in folder.glob("*") if p.name.startswith(".checkpoint")]
            for leftover in leftovers:
                leftover.unlink()
            if path.exists():
                try:
                    read_arrays(path)
                except InputError as problem:
                    problems.append(f"after kill {done}: {problem}")
            continue
        if process.returncode:
            problems.append(f"after kill {done}: exit code {process.returncode}: {error}")
        return done, problems


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="of each command (default: 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this long")
    arguments = parser.parse_args()
    draw, failed, began = random.Random(arguments.seed), 0, time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        for name in arguments.commands:
            whole = Path(place) / "whole"
            started = time.monotonic()
            process = start(COMMANDS[name], whole, False)
            _, error = process.communicate()
            if process.returncode:
                print(f"{name}: {error}")
                return 1
            seconds, kills, trainings, problems = time.monotonic() - started, 0, 0, []
            while kills < arguments.kills and time.monotonic() - began < arguments.seconds:
                folder = Path(place) / f"killed-{trainings}"
                some = min(arguments.kills - kills, 10)
                done, wrong = kill_until_done(name, folder, seconds, some, draw)
                kills, trainings, problems = kills + done, trainings + 1, problems + wrong
                if not wrong and bits_of(folder) != bits_of(whole):
                    problems.append(f"training {trainings}: other bits after {done} kills")
                shutil.rmtree(folder)
            shutil.rmtree(whole)
            failed += len(problems)
            print(
                f"{name}: {kills} kills in {trainings} trainings of {seconds:.1f} s, "
                f"{len(problems)} problems",
                *problems,
                sep="\n  ",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
