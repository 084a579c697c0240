"""Questions a second that kvnet and its peers train on, or predict, with the same threads.

Every peer (see `peers`) runs in a process of its own, confined to so many cores. First all of them
train a few steps without noise, with a clipping bound that bites, and must come to the same losses
and the same weights as kvnet's reference, or nothing is timed. Then they take turns, round after
round; a peer's figure is its median round.

    python benchmarks/training_speed.py --data-dir ../shared/data/babi/tasks_1-20_v1-2/en
    python benchmarks/training_speed.py --config gru --threads 1,2 --predict --json speed.json
"""

import argparse
import json
import os
import platform
import sys
from contextlib import ExitStack, closing
from importlib.metadata import version
from importlib.util import find_spec
from statistics import median
from typing import NamedTuple

import numpy
from peers import KINDS, check_installed
from peers.worker import Worker
from peers.workload import CONFIGS, Recipe, Workload

from kvnet.files.atomic_file import write_atomically
from kvnet.cli.arguments import ArgumentParser, check_writable, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.errors import InputError
from kvnet.updates.noisy_adam import NOISE_DEVIATION

CHECKED_STEPS = 3
TOLERANCE = 1e-4
SAME_ANSWERS = 0.999  # of the test questions: rounding may turn a near tie
TEST_BATCH_SIZES = (50, 200, 1000)
BUSY = 0.3  # load average of others; more than one thread suffers most
STEPS = {"joint": 359, "single": 270, "gru": 60}


class Entry(NamedTuple):
    """A peer with a number of threads, and its timed rounds.

    Attributes
    ----------
    worker : Worker
    rounds : list of (float, float)
        Seconds and processor seconds.
    batch_size : int
        Questions at a time.
    """

    worker: Worker
    rounds: list
    batch_size: int

    def result(self, questions: int) -> dict:
        """Summarise rounds of so many questions each."""
        rates = [questions / seconds for seconds, _ in self.rounds]
        return {
            "peer": self.worker.name,
            "label": self.worker.label,
            "threads": self.worker.threads,
            "batch_size": self.batch_size,
            "questions_per_second": median(rates),
            "slowest": min(rates),
            "fastest": max(rates),
            "cores_busy": median(busy / seconds for seconds, busy in self.rounds),
        }


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    return exit_code(parser.prog, lambda: _run(arguments))


def _parser() -> ArgumentParser:
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--config", choices=CONFIGS, default="joint")
    parser.add_argument("--task", type=whole_number(1, 20), default=1, help="of --config single")
    parser.add_argument("--data-dir", help="folder of bAbI files; else $KVNET_DATA; else made here")
    parser.add_argument(
        "--threads", type=_threads, default=[2], help="for each peer; 1,2 times it with both"
    )
    parser.add_argument("--rounds", type=whole_number(1), default=7)
    parser.add_argument("--steps", type=whole_number(1), help="training steps a round")
    parser.add_argument("--predict", action="store_true", help="time predicting all test questions")
    parser.add_argument("--peers", type=_peers, help=f"some of {','.join(KINDS)}")
    parser.add_argument("--json", help="write all figures here")
    return parser


def _threads(text):
    return [whole_number(1)(part) for part in text.split(",")]


def _peers(text):
    names = text.split(",")
    for name in names:
        if name not in KINDS:
            raise argparse.ArgumentTypeError(f"{name!r} is no peer; it takes {', '.join(KINDS)}")
    return names


def _run(arguments) -> int:
    if arguments.json:
        check_writable("--json", arguments.json)
    names, load = _chosen(arguments), os.getloadavg()[0]
    if load > BUSY:
        _say(f"other work is running (load {load:.1f}): figures will be off")
    recipe = Recipe(arguments.config, arguments.task, arguments.data_dir)
    workload = Workload(recipe)
    with ExitStack() as open_workers:
        workers = [
            open_workers.enter_context(closing(_started(name, n, recipe)))
            for n in arguments.threads
            for name in names
        ]
        check_same_work(workers, workload)
        if arguments.predict:
            entries = time_predictions(workers, arguments.rounds)
            questions = len(workload.data.testing.dataset)
        else:
            steps = arguments.steps or STEPS[arguments.config]
            entries = time_training(workers, workload, arguments.rounds, steps)
            questions = steps * workload.settings.batch_size
    results = [entry.result(questions) for entry in entries]
    print(table(results))
    if arguments.json:
        write_atomically(arguments.json, report(arguments, load, questions, results).encode())
    return 0


def _chosen(arguments) -> list[str]:
    """Return the peers to run; kvnet's reference, which the others are checked against, first."""
    reader = CONFIGS[arguments.config].reader
    names = arguments.peers or [n for n in KINDS if reader in KINDS[n].readers]
    unfit = [name for name in names if reader not in KINDS[name].readers]
    if unfit:
        raise InputError(f"--peers: {unfit[0]} has no {reader} reader; leave it out")
    check_installed(names)
    return ["reference", *(name for name in names if name != "reference")]


def _started(name, threads, recipe):
    _say(f"starting {KINDS[name].label}, threads: {threads}")
    return Worker(name, threads, recipe)


def check_same_work(workers: list[Worker], workload: Workload) -> None:
    """Let all train without noise and compare losses, weights and answers with the first one's.

    Weights are compared by what training changed about them, tensor by tensor. The clipping bound
    is the published number on the summed loss: nearly every tensor meets it from the first step.

    Raises
    ------
    InputError
        If a peer does something else than kvnet's reference.
    """
    start, expected = workload.starting_weights(), None
    for worker in workers:
        _say(f"checking {_name(worker)}")
        found = first_steps(worker, workload.settings.max_grad_norm)
        expected = expected or found
        compare(worker, start, found, expected)


def first_steps(worker, clip_norm: float) -> tuple:
    """Train without noise; return the losses, the weights and the answers to the test questions."""
    worker("start", clip_norm, 0.0)
    losses = []
    for step in range(CHECKED_STEPS):
        losses.append(worker("loss", step))
        worker("train", range(step, step + 1))
    losses.append(worker("loss", CHECKED_STEPS))
    weights = worker("parameters")
    worker("prepare_test", TEST_BATCH_SIZES[0])
    return losses, weights, worker("predict")


def compare(worker, start: dict, found: tuple, expected: tuple) -> None:
    """Compare what `first_steps` returned with what it should be; see `check_same_work`."""
    (losses, weights, answers), (right_losses, right_weights, right_answers) = found, expected
    apart = {
        f"the loss of step {i}": _apart(*pair)
        for i, pair in enumerate(zip(losses, right_losses, strict=True))
    }
    for name, theta in start.items():
        apart[f"the update of {name}"] = _apart(weights[name] - theta, right_weights[name] - theta)
    what = max(apart, key=apart.get)
    if not apart[what] <= TOLERANCE:
        raise InputError(
            f"{_name(worker)}: {what} is {apart[what]:.1e} away from "
            f"kvnet's reference, relatively; at most {TOLERANCE:.0e} is rounding. Nothing was timed"
        )
    _say(f"  within {apart[what]:.0e} ({what})")
    same = float((answers == right_answers).mean())
    if same < SAME_ANSWERS:
        raise InputError(
            f"{_name(worker)}: answers {same:.2%} of the test questions as "
            "kvnet's reference does. Nothing was timed"
        )


def _apart(found, expected) -> float:
    return float(numpy.linalg.norm(found - expected) / numpy.linalg.norm(expected))


def time_training(workers, workload: Workload, rounds: int, steps: int) -> list[Entry]:
    """Train with the published numbers, so many steps a round, in turns."""
    first = workload.steps_per_epoch  # by then kvnet's trainer holds every batch
    for worker in workers:
        _say(f"warming up {_name(worker)}")
        worker("start", workload.settings.clip_norm, NOISE_DEVIATION)
        worker("warm_up", range(max(0, first - steps), first))
    entries = [Entry(worker, [], workload.settings.batch_size) for worker in workers]
    for r in range(rounds):
        _say(f"round {r + 1} of {rounds}")
        for entry in entries:
            span = range(first + r * steps, first + (r + 1) * steps)
            entry.rounds.append(entry.worker.timed("train", span)[1:])
    return entries


def time_predictions(workers, rounds: int) -> list[Entry]:
    """Predict all test questions once a round, in turns; each peer at its best batch size."""
    entries = [Entry(worker, [], _best_batch_size(worker)) for worker in workers]
    for entry in entries:
        entry.worker("prepare_test", entry.batch_size)
    for r in range(rounds):
        _say(f"round {r + 1} of {rounds}")
        for entry in entries:
            entry.rounds.append(entry.worker.timed("predict")[1:])
    return entries


def _best_batch_size(worker) -> int:
    _say(f"choosing a batch size for {_name(worker)}")
    seconds = {}
    for size in TEST_BATCH_SIZES:
        worker("prepare_test", size)
        seconds[size] = min(worker.timed("predict")[1] for _ in range(3))
    return min(seconds, key=seconds.get)


def table(results: list[dict]) -> str:
    """Write the figures as a table; the ratio is kvnet's best fused figure to the row's."""
    fused = [r["questions_per_second"] for r in results if r["peer"] == "fused"]
    lines = [
        "| | threads | batch | questions/s | slowest to fastest | cores busy | kvnet fused is |"
    ]
    lines += ["|---|---|---|---|---|---|---|"]
    for r in results:
        rate = r["questions_per_second"]
        ratio = f"{max(fused) / rate:.2f} ×" if fused else ""
        lines.append(
            f"| {r['label']} | {r['threads']} | {r['batch_size']} | {rate:,.0f} | "
            f"{r['slowest']:,.0f} to {r['fastest']:,.0f} | {r['cores_busy']:.2f} | {ratio} |"
        )
    return "\n".join(lines)


def report(arguments, load: float, questions: int, results: list[dict]) -> str:
    """Write the figures, and what they were measured with, as JSON."""
    packages = [p for p in ("numpy", "numba", "torch", "jax") if find_spec(p)]
    content = {
        "config": arguments.config,
        "task": arguments.task if arguments.config == "single" else None,
        "what": "prediction" if arguments.predict else "training",
        "questions_a_round": questions,
        "rounds": arguments.rounds,
        "load_before": load,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": {package: version(package) for package in packages},
        "results": results,
    }
    return json.dumps(content, indent=1) + "\n"


def _name(worker) -> str:
    return f"{worker.label}, threads: {worker.threads}"


def _say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
