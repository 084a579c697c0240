"""Time a training step against the number of slots, words, hops, questions and threads.

The numbers are varied one at a time, starting from the joint configuration, on random sentences in
full memories. kvnet's fused kernels and the best eager PyTorch are timed in turns.

    python benchmarks/cost_scaling.py --plot cost_scaling.png --json cost_scaling.json
"""

import argparse
import json
import os
import sys
from contextlib import ExitStack, closing
from statistics import median

from peers import KINDS, check_installed
from peers.worker import Worker
from peers.workload import CONFIGS, RandomSpec

from kvnet.cli.arguments import ArgumentParser, check_outputs, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.errors import InputError
from kvnet.files.atomic_file import write_atomically
from kvnet.updates.noisy_adam import NOISE_DEVIATION

PEERS = ("fused", "best")
VALUES = {
    "slots": (50, 150, 500, 1500, 5000),
    "vocabulary": (200, 600, 2000, 6000, 20_000),
    "hops": (1, 2, 4, 8),
    "batch_size": (10, 30, 100, 300, 1000),
    "threads": (1, 2),
}
LABELS = {
    "slots": "memory slots M",
    "vocabulary": "vocabulary V (words)",
    "hops": "hops H",
    "batch_size": "batch size B (questions)",
    "threads": "threads",
}
WARM_UP_STEPS = 8
BUSY = 0.3  # load average of other work; it slows down several threads most
ROUND_SECONDS = 0.2  # long enough to be timed accurately, short enough for many rounds


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=whole_number(1), default=5, help="timed rounds (5)")
    parser.add_argument(
        "--threads", type=whole_number(1), default=1, help="threads unless they are varied (1)"
    )
    parser.add_argument("--only", choices=VALUES, help="vary only this number")
    parser.add_argument("--plot", help="PNG, SVG or PDF file to draw the curves to")
    parser.add_argument("--json", help="file to write all figures to")
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    return exit_code(parser.prog, lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    outputs = {f"--{flag}": getattr(arguments, flag) for flag in ("plot", "json")}
    check_outputs(outputs, {}, replace=True)
    check_installed(PEERS)
    points, load = [], os.getloadavg()[0]
    if load > BUSY:
        message = f"other work is running (load {load:.1f}): figures will be inaccurate"
        print(message, file=sys.stderr)
    titles = " | ".join(f"{KINDS[peer].label}, ms per step" for peer in PEERS)
    print(f"| varied | value | {titles} |")
    print("|---|---|" + "---|" * len(PEERS))
    for varied in [arguments.only] if arguments.only else VALUES:
        for value in VALUES[varied]:
            point = measure(varied, value, arguments.threads, arguments.rounds)
            points.append(point)
            cells = " | ".join(f"{1e3 * point['seconds'][peer]:.3g}" for peer in PEERS)
            print(f"| {LABELS[varied]} | {value:,} | {cells} |", flush=True)
    if arguments.json:
        content = {
            "rounds": arguments.rounds,
            "threads": arguments.threads,
            "load_before": load,
            "points": points,
        }
        write_atomically(arguments.json, (json.dumps(content, indent=1) + "\n").encode())
    if arguments.plot:
        plot(points, arguments.plot)
    return 0


def measure(varied: str, value: int, threads: int, rounds: int) -> dict:
    """Time a training step of each peer with one number changed.

    Parameters
    ----------
    varied : str
        Number that is changed, a key of `VALUES`.
    value : int
        Value of this number.
    threads : int
        Number of threads if it is not the one that is changed.
    rounds : int

    Returns
    -------
    point : dict
        Seconds per step by peer: the median, the fastest and the slowest round.
    """
    spec = RandomSpec() if varied == "threads" else RandomSpec(**{varied: value})
    threads = value if varied == "threads" else threads
    with ExitStack() as stack:
        workers = [stack.enter_context(closing(Worker(p, threads, spec))) for p in PEERS]
        counts, done, seconds = {}, {}, {peer: [] for peer in PEERS}
        for worker in workers:
            counts[worker.name] = _steps_per_round(worker, spec.batch_size)
            done[worker.name] = 2 * WARM_UP_STEPS
        for _ in range(rounds):
            for worker in workers:
                count, first = counts[worker.name], done[worker.name]
                spent = worker.timed("train", range(first, first + count))[1]
                seconds[worker.name].append(spent / count)
                done[worker.name] += count
    return {
        "what": varied,
        "value": value,
        "seconds": {peer: median(spent) for peer, spent in seconds.items()},
        "fastest": {peer: min(spent) for peer, spent in seconds.items()},
        "slowest": {peer: max(spent) for peer, spent in seconds.items()},
    }


def _steps_per_round(worker: Worker, batch_size: int) -> int:
    """Warm up a peer, and return the number of steps that take `ROUND_SECONDS`."""
    worker("start", CONFIGS["joint"].max_grad_norm * batch_size, NOISE_DEVIATION)
    worker("warm_up", range(WARM_UP_STEPS))
    spent = worker.timed("train", range(WARM_UP_STEPS, 2 * WARM_UP_STEPS))[1]
    return max(1, round(ROUND_SECONDS / (spent / WARM_UP_STEPS)))


def plot(points: list[dict], path: str) -> None:
    """Draw one panel for each number that is varied.

    Raises
    ------
    InputError
        If matplotlib is missing or cannot write the file.
    """
    try:
        from matplotlib import pyplot
    except ImportError:
        raise InputError(
            "--plot needs matplotlib, which is not installed; pip install -e '.[plot]'"
        ) from None
    panels = [varied for varied in VALUES if any(point["what"] == varied for point in points)]
    columns = min(3, len(panels) + 1)  # one more for the legend
    rows = -(-(len(panels) + 1) // columns)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(3.4 * columns, 3.1 * rows), squeeze=False, layout="constrained"
    )
    flat_axes = list(axes.flat)
    top = 1.5e3 * max(max(point["slowest"].values()) for point in points)
    bottom = 0.5e3 * min(min(point["fastest"].values()) for point in points)
    for axis, varied in zip(flat_axes, panels, strict=False):
        _panel(axis, varied, [point for point in points if point["what"] == varied])
        axis.set_ylim(bottom, top)  # the same in all panels, so that they can be compared
    for axis in axes[:, 0]:
        axis.set_ylabel("training step (ms)")
    for axis in flat_axes[len(panels) :]:
        axis.axis("off")
    handles, labels = flat_axes[0].get_legend_handles_labels()
    flat_axes[len(panels)].legend(
        handles, labels, loc="center", frameon=False, title="medians of rounds;\nbars: all rounds"
    )
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise InputError(f"--plot: {path} cannot be written ({error})") from None
    pyplot.close(figure)


def _panel(axis, varied: str, points: list[dict]) -> None:
    """Draw the curves of the peers and, for comparison, proportional growth."""
    from matplotlib.ticker import LogLocator

    values = [point["value"] for point in points]
    for peer, marker in zip(PEERS, "os", strict=True):
        middle = [1e3 * point["seconds"][peer] for point in points]
        below = [m - 1e3 * p["fastest"][peer] for m, p in zip(middle, points, strict=True)]
        above = [1e3 * p["slowest"][peer] - m for m, p in zip(middle, points, strict=True)]
        label = KINDS[peer].label
        axis.errorbar(values, middle, (below, above), marker=marker, capsize=3, label=label)
    if varied != "threads":
        last = 1e3 * points[-1]["seconds"][PEERS[0]]
        proportional = [last * value / values[-1] for value in values]
        axis.plot(values, proportional, color="grey", linestyle=":", label="proportional")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks(values, [f"{value:,}" for value in values])
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axis.yaxis.set_major_formatter(lambda ms, _: f"{ms:g}")
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    axis.set_xlabel(LABELS[varied])


if __name__ == "__main__":
    sys.exit(main())
