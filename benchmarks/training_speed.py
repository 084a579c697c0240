"""Compare the training or prediction speed of kvnet and its peers with the same number of threads.

Every peer (see `peers`) runs in its own process, restricted to as many cores as threads. First all
of them train a few steps without noise, with a clipping bound that is exceeded, and must reach the
same losses and weights as kvnet's reference; otherwise nothing is timed. Then they take turns for
several rounds; the figure of a peer is its median round.

    python benchmarks/training_speed.py --data-dir tasks_1-20_v1-2/en
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
from peers.workload import CONFIGS, BabiSpec, Workload

from kvnet.cli.arguments import ArgumentParser, check_writable, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.errors import InputError
from kvnet.files.atomic_file import write_atomically
from kvnet.updates.noisy_adam import NOISE_DEVIATION

CHECKED_STEPS = 3
TOLERANCE = 1e-4
SAME_ANSWERS = 0.999  # least share of equal answers: rounding may decide near ties
TEST_BATCH_SIZES = (50, 200, 1000)
BUSY = 0.3  # load average of other work; it slows down several threads most
STEPS = {"joint": 359, "single": 270, "gru": 60}


class Entry(NamedTuple):
    """A peer with a number of threads, and its timed rounds.

    Attributes
    ----------
    worker : Worker
    rounds : list of (float, float)
        Wall-clock seconds and CPU seconds of each round.
    batch_size : int
    """

    worker: Worker
    rounds: list
    batch_size: int

    def result(self, questions: int) -> dict:
        """Return a summary of the rounds, each of `questions` questions."""
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
    parser.add_argument("--config", choices=CONFIGS, default="joint", help="what to train (joint)")
    parser.add_argument(
        "--task", type=whole_number(1, 20), default=1, help="task of --config single (1)"
    )
    parser.add_argument(
        "--data-dir", help="folder of bAbI files ($KVNET_DATA; without it, generated questions)"
    )
    parser.add_argument(
        "--threads",
        type=_threads,
        default=[2],
        help="threads of each peer (2); 1,2 times each peer with both numbers",
    )
    parser.add_argument("--rounds", type=whole_number(1), default=7, help="timed rounds (7)")
    steps = ", ".join(f"{n} for {config}" for config, n in STEPS.items())
    parser.add_argument("--steps", type=whole_number(1), help=f"training steps per round ({steps})")
    parser.add_argument(
        "--predict", action="store_true", help="time the prediction of all test questions"
    )
    parser.add_argument("--peers", type=_peers, help=f"some of {','.join(KINDS)} (all)")
    parser.add_argument("--json", help="file to write all figures to")
    return parser


def _threads(text):
    return [whole_number(1)(part) for part in text.split(",")]


def _peers(text):
    names = text.split(",")
    for name in names:
        if name not in KINDS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(KINDS)}")
    return names


def _run(arguments) -> int:
    if arguments.json:
        check_writable("--json", arguments.json)
    names, load = _selected_peers(arguments), os.getloadavg()[0]
    if load > BUSY:
        _log(f"other work is running (load {load:.1f}): figures will be inaccurate")
    spec = BabiSpec(arguments.config, arguments.task, arguments.data_dir)
    workload = Workload(spec)
    with ExitStack() as open_workers:
        workers = [
            open_workers.enter_context(closing(_start_worker(name, n, spec)))
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
            questions = steps * workload.recipe.batch_size
    results = [entry.result(questions) for entry in entries]
    print(table(results))
    if arguments.json:
        write_atomically(arguments.json, report(arguments, load, questions, results).encode())
    return 0


def _selected_peers(arguments) -> list[str]:
    """Return the names of the peers to run, with kvnet's reference, which is compared to, first."""
    reader = CONFIGS[arguments.config].reader
    names = arguments.peers or [n for n in KINDS if reader in KINDS[n].readers]
    unsupported = [name for name in names if reader not in KINDS[name].readers]
    if unsupported:
        raise InputError(f"--peers: {unsupported[0]} has no {reader} reader; remove it")
    check_installed(names)
    return ["reference", *(name for name in names if name != "reference")]


def _start_worker(name, threads, spec):
    _log(f"starting {KINDS[name].label}, threads: {threads}")
    return Worker(name, threads, spec)


def check_same_work(workers: list[Worker], workload: Workload) -> None:
    """Compare losses, weights and answers of all peers with the first, after steps without noise.

    Weights are compared by their change in training, tensor by tensor. The clipping bound is the
    published number applied to the summed loss, which nearly every tensor exceeds from the first
    step.

    Raises
    ------
    InputError
        If a peer does not do the same work as kvnet's reference.
    """
    start, expected = workload.starting_weights(), None
    for worker in workers:
        _log(f"checking {_describe(worker)}")
        found = first_steps(worker, workload.recipe.max_grad_norm)
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
    """Compare a result of `first_steps` with the expected one; see `check_same_work`.

    Parameters
    ----------
    worker : Worker or Local
        Named in messages.
    start : dict of str to float array
        Starting weights.
    found, expected : tuple
        Results of `first_steps` for the worker and for kvnet's reference.

    Raises
    ------
    InputError
        If they differ by more than rounding.
    """
    (losses, weights, answers), (expected_losses, expected_weights, expected_answers) = (
        found,
        expected,
    )
    errors = {
        f"the loss of step {i}": _relative_error(*pair)
        for i, pair in enumerate(zip(losses, expected_losses, strict=True))
    }
    for name, theta in start.items():
        updates = weights[name] - theta, expected_weights[name] - theta
        errors[f"the update of {name}"] = _relative_error(*updates)
    worst = max(errors, key=errors.get)
    if not errors[worst] <= TOLERANCE:
        raise InputError(
            f"{_describe(worker)}: {worst} differs from kvnet's reference by a relative error of "
            f"{errors[worst]:.1e}, tolerance {TOLERANCE:.0e}; nothing was timed"
        )
    _log(f"  within {errors[worst]:.0e} ({worst})")
    same = float((answers == expected_answers).mean())
    if same < SAME_ANSWERS:
        raise InputError(
            f"{_describe(worker)}: only {same:.2%} of the answers to the test questions are equal "
            "to those of kvnet's reference; nothing was timed"
        )


def _relative_error(found, expected) -> float:
    return float(numpy.linalg.norm(found - expected) / numpy.linalg.norm(expected))


def time_training(workers, workload: Workload, rounds: int, steps: int) -> list[Entry]:
    """Time training with the published hyper-parameters, in turns, `steps` steps per round."""
    first = workload.steps_per_epoch  # by then kvnet's trainer has packed every batch
    for worker in workers:
        _log(f"warming up {_describe(worker)}")
        worker("start", workload.clip_norm, NOISE_DEVIATION)
        worker("warm_up", range(max(0, first - steps), first))
    entries = [Entry(worker, [], workload.recipe.batch_size) for worker in workers]
    for r in range(rounds):
        _log(f"round {r + 1} of {rounds}")
        for entry in entries:
            span = range(first + r * steps, first + (r + 1) * steps)
            entry.rounds.append(entry.worker.timed("train", span)[1:])
    return entries


def time_predictions(workers, rounds: int) -> list[Entry]:
    """Time the prediction of all test questions, in turns, each peer at its best batch size."""
    entries = [Entry(worker, [], _best_batch_size(worker)) for worker in workers]
    for entry in entries:
        entry.worker("prepare_test", entry.batch_size)
    for r in range(rounds):
        _log(f"round {r + 1} of {rounds}")
        for entry in entries:
            entry.rounds.append(entry.worker.timed("predict")[1:])
    return entries


def _best_batch_size(worker) -> int:
    _log(f"choosing a batch size for {_describe(worker)}")
    seconds = {}
    for size in TEST_BATCH_SIZES:
        worker("prepare_test", size)
        seconds[size] = min(worker.timed("predict")[1] for _ in range(3))
    return min(seconds, key=seconds.get)


def table(results: list[dict]) -> str:
    """Return the figures as a table; speed-ups are those of kvnet's best fused figure."""
    fused = [r["questions_per_second"] for r in results if r["peer"] == "fused"]
    lines = [
        "| | threads | batch | questions/s | slowest to fastest | cores busy "
        "| speed-up of kvnet fused |"
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
    """Return the figures, the settings, the machine and the versions as JSON."""
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


def _describe(worker) -> str:
    return f"{worker.label}, threads: {worker.threads}"


def _log(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
