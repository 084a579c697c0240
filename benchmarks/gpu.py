"""Check and time kvnet on a GPU, compared with PyTorch on the same GPU.

Sections: ``correctness`` (one step compared with NumPy in float64, repeated runs compared bit for
bit, copies counted); ``joint`` (steps of the published joint configuration compared with PyTorch's,
eager and then in CUDA graphs; all are checked to do the same work, then take turns; medians by
device events); ``training`` (200 epochs with evaluations); ``restarts`` (many starts in the same
launches); ``large`` (a large configuration, its sentences all different or shared, compared with
its lower bound: the larger of least bytes over measured bandwidth and least operations over
measured float32 rate, as counted in `roofline`); ``accuracy`` (joint training, three seeds,
compared with the CPU). Every figure is written immediately, so a failure, Ctrl-C or a time limit
costs only the rest of a section. Sections of one commit on one card may be measured one at a time;
they are collected in one table.

PyTorch and CuPy share a process, a card and its default stream, both in full float32. Their
requirements are in docs/gpu.md.

    python benchmarks/gpu.py --data-dir tasks_1-20_v1-2/en
    python benchmarks/gpu.py --sections joint --peers kvnet,recorded --json gpu.json
"""

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean, median

import numpy
from gpu_measures import (
    bandwidth,
    commit,
    counted_copies,
    float32_rate,
    full_float32,
    machine,
    median_seconds,
    seconds_on_device,
    torch_versions,
)
from gpu_report import Outcome, Report, line
from peers import ON_A_GPU, check_installed
from peers.worker import Local
from peers.workload import SEED, BabiSpec, RandomSpec, Workload
from roofline import least_work
from training_speed import compare, first_steps

from kvnet import KeyValueRecipe
from kvnet.backend import array_module, to_numpy
from kvnet.cli.arguments import ArgumentParser, check_writable, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.data.babi import find_data_dir
from kvnet.data.task_data import TaskData
from kvnet.kernels import kernel_threads
from kvnet.models import KeyValueMemoryNetwork
from kvnet.parameter_vector import by_name
from kvnet.training.fused_steps import steps_for
from kvnet.training.run import train_runs
from kvnet.training.task_run import TaskRun
from kvnet.training.trainer import Trainer
from kvnet.updates.noisy_adam import NOISE_DEVIATION

LARGE = RandomSpec(
    slots=500,
    vocabulary=20_000,
    hops=3,
    batch_size=1024,
    embedding_size=128,
    feature_size=128,
    length=12,
)
FULL = LARGE._replace(batches=1)
LARGE_SHARING = {  # by how many sentences the questions share
    "large, 1,000 sentences": LARGE,
    "large, five questions per story": FULL._replace(questions_per_story=5),
    "large, a different sentence in every slot": FULL._replace(questions_per_story=1),
}
EAGER = ("usual", "best", "by-hand")
CAPTURED = [n for n in ON_A_GPU if n not in ("reference", "kvnet", *EAGER)]
TARGETS = {"eager": (EAGER, 25), "captured": (CAPTURED, 5)}  # peers and speed-up over the fastest
STARTS = (1, 4, 16, 64)
SEEDS = (0, 1, 2)
CHECKED_QUESTIONS = 256  # large enough for the kernels of 1024; float64 stores every slot
TOLERANCE = 1e-5
TOLERANCE_OF_MEANS = 1e-4  # larger, because gradients cancel in their sums
SAME_BITS_STEPS = 50


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data-dir", help="folder of bAbI files ($KVNET_DATA; without it, generated questions)"
    )
    parser.add_argument(
        "--sections",
        type=_sections,
        default=[*SECTIONS],
        help=f"some of {','.join(SECTIONS)} (all)",
    )
    parser.add_argument(
        "--rounds", type=whole_number(1), default=7, help="timed rounds of joint and restarts (7)"
    )
    parser.add_argument(
        "--peers",
        type=_peers,
        default=[*ON_A_GPU],
        help=f"peers of joint: some of {','.join(ON_A_GPU)} (all)",
    )
    results = Path(__file__).parent.parent / "results/gpu.json"
    parser.add_argument(
        "--json", default=str(results), help="file for all figures (results/gpu.json)"
    )
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    return exit_code(parser.prog, lambda: _run(arguments))


def _some_of(known):
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known():
                raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(known())}")
        return names

    return parse


_sections, _peers = _some_of(lambda: SECTIONS), _some_of(lambda: ON_A_GPU)


def _run(arguments) -> int:
    check_writable("--json", arguments.json)
    folder = find_data_dir(arguments.data_dir)
    full_float32()
    xp = array_module("cupy")
    head = {"commit": commit(), **machine(xp), "numpy": numpy.__version__}
    head |= {"data": "/".join(folder.parts[-2:]) if folder else "made by the simulator"}
    head |= {"precision": "float32, no tf32", "cores": os.cpu_count()}
    report = Report(arguments.json, head)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # handled like Ctrl-C
    try:
        for name in arguments.sections:
            _log(f"section {name}")
            _measure(report, name, xp, arguments)
    finally:
        signal.signal(signal.SIGTERM, before)
        print(report.table())
    return 0 if report.all_met else 1


def _measure(report: Report, name: str, xp, arguments) -> None:
    """Run a section and report its outcomes; a failure is reported and does not propagate."""
    report.begin(name, " ".join(["python", *sys.argv]))
    began, failure = time.perf_counter(), "interrupted"
    try:
        for outcome in SECTIONS[name](xp, arguments):
            report.add(outcome)
            _log(f"  {line(outcome)}")
        failure = None
    except Exception as error:
        failure = _print_error(error)
    finally:
        report.end(failure, torch_versions())
    _log(f"section {name} took {time.perf_counter() - began:.0f} s")


def correctness(xp, arguments) -> Iterator[Outcome]:
    """Compare a step with NumPy in float64 and repeated training runs; count copies."""
    specs = {
        "joint": BabiSpec("joint", 1, arguments.data_dir),
        "joint, simple_gru": BabiSpec("gru", 1, arguments.data_dir),
    }
    for name, spec in LARGE_SHARING.items():
        smaller = spec._replace(batch_size=CHECKED_QUESTIONS)
        specs[f"{name}, {CHECKED_QUESTIONS} questions"] = smaller
    for name, spec in specs.items():
        parameters, means = step_errors(spec, xp)
        for vector, error, tolerance in (
            ("parameters", parameters, TOLERANCE),
            ("Adam's means of the gradient", means, TOLERANCE_OF_MEANS),
        ):
            quantity = f"{name}: {vector} after a step, largest relative error to float64"
            yield Outcome(quantity, error, f"<= {tolerance}", error <= tolerance)
    yield from bits_and_copies(xp, BabiSpec("joint", 1, arguments.data_dir))


def step_errors(spec: BabiSpec | RandomSpec, xp) -> tuple[float, float]:
    """Return the largest relative errors after one step from the same weights.

    Returns
    -------
    parameters : float
        Error of the parameters, which change little in a step.
    means : float
        Error of Adam's means, which start at zero.
    """
    recipe, data = spec.load()
    on_device = recipe.new_model(data, SEED, "cupy", "fused")
    config = replace(on_device.config, dtype="float64")
    models = {"float64": KeyValueMemoryNetwork(config, kernels="reference"), "device": on_device}
    models["float64"].theta[:] = to_numpy(on_device.theta)
    datasets = {"float64": data, "device": spec.load(xp)[1]}
    vectors = []
    for name, model in models.items():
        trainer = Trainer(model, datasets[name].training.dataset, recipe, SEED)
        steps_for([trainer]).train(1)
        vectors.append([to_numpy(model.theta), to_numpy(trainer.optimizer.m)])
    return tuple(_largest_error(*pair, model.shapes) for pair in zip(*vectors, strict=True))


def _largest_error(expected, found, shapes) -> float:
    """Return the largest relative error of a parameter."""
    expected, found = by_name(expected, shapes), by_name(found, shapes)
    norm = numpy.linalg.norm
    return max(float(norm(found[name] - x) / norm(x)) for name, x in expected.items())


def bits_and_copies(xp, spec: BabiSpec | RandomSpec) -> Iterator[Outcome]:
    """Train twice alone and once with other starts; count the copies of one and of many steps."""
    recipe, data = spec.load(xp)
    starts = [SEED], [SEED], [SEED, SEED + 1, SEED + 2]
    alone, again, group = (
        steps_for([_trainer(recipe, data, s) for s in seeds]) for seeds in starts
    )
    for steps in (alone, again, group):
        steps.train(SAME_BITS_STEPS)
    (first,), (second,) = alone.trainers, again.trainers
    expected = to_numpy(first.model.theta)
    for run, other in (
        ("a second run", second),
        ("a run with two other starts", group.trainers[0]),
    ):
        count = int((to_numpy(other.model.theta) != expected).sum())
        yield Outcome(f"joint: parameters that differ in {run}", count, "0", count == 0)
    counts, many = [], min(20, first.batches.steps_per_epoch)  # an epoch's batches are one copy
    for count in (1, many):
        with counted_copies(xp) as copies:
            alone.train(count)
        counts.append(len(copies))
    extra = counts[1] - counts[0]
    yield Outcome(f"joint: copies of {many} steps minus copies of one", extra, "0", extra == 0)


def _trainer(recipe: KeyValueRecipe, data: TaskData, seed: int) -> Trainer:
    """Return a trainer with the fused kernels on the GPU."""
    model = recipe.new_model(data, seed, "cupy", "fused")
    return Trainer(model, data.training.dataset, recipe, seed)


def joint(xp, arguments) -> Iterator[Outcome]:
    """Time steps of the published joint configuration with PyTorch, eager and then captured."""
    workload = Workload(BabiSpec("joint", 1, arguments.data_dir))
    expected = first_steps(
        Local("reference", ON_A_GPU["reference"], workload), workload.recipe.max_grad_norm
    )
    for kind, (names, target) in TARGETS.items():
        names = [name for name in names if name in arguments.peers]
        if names or kind == "eager":  # without peers kvnet is timed only once
            kvnet = ["kvnet"] if "kvnet" in arguments.peers else []
            yield from _time_peers(
                xp, arguments, workload, expected, kind, [*kvnet, *names], target
            )


def _time_peers(xp, arguments, workload, expected, kind, names, target) -> Iterator[Outcome]:
    """Check peers and time them in turns; compare kvnet with the fastest of them."""
    entries = {}
    for name in names:
        try:
            entries[name] = _checked_peer(workload, name, expected)
        except Exception as error:  # a peer that cannot run here is skipped and reported
            yield Outcome(f"{ON_A_GPU[name].label}: {_print_error(error)}", None)
    seconds = {name: [] for name in entries}
    for r in range(1, arguments.rounds + 1):
        for name, worker in [*entries.items()]:
            try:
                seconds[name].append(_seconds_per_step(xp, workload, worker, r))
            except Exception as error:
                del entries[name], seconds[name]
                yield Outcome(f"{ON_A_GPU[name].label}: {_print_error(error)}", None)
    medians = {name: median(times) for name, times in seconds.items()}
    for name, worker in entries.items():
        spread = f"{min(seconds[name]) * 1e6:.1f} to {max(seconds[name]) * 1e6:.1f}"
        yield Outcome(f"{worker.label}: µs per step, {spread}", medians[name] * 1e6)
    if "kvnet" not in names:
        return
    kvnet = medians.pop("kvnet", None)
    if kvnet:
        rate = workload.recipe.batch_size / kvnet
        yield Outcome(f"kvnet: questions/s, in turns with {kind} peers", rate)
        for name, peer in medians.items():
            yield Outcome(f"kvnet: speed-up over {entries[name].label}", peer / kvnet)
    if len(names) > 1:
        speed_up, fastest = None, "none ran"
        if kvnet and medians:
            best = min(medians, key=medians.get)
            speed_up, fastest = medians[best] / kvnet, entries[best].label
        count = f"{len(medians)} of {len(TARGETS[kind][0])} peers ran"
        version = torch_versions().get("torch", "not installed")
        peers = f"the fastest PyTorch {kind} peer: {fastest}, {version}; {count}"
        met = speed_up is not None and speed_up >= target
        yield Outcome(f"joint: speed-up over {peers}", speed_up, f">= {target}", met)


def _checked_peer(workload: Workload, name: str, expected: tuple) -> Local:
    """Make a peer, and check that it does the same work as kvnet's reference.

    Raises
    ------
    InputError
        If its library is missing, or it does different work.
    """
    check_installed([name], ON_A_GPU)
    worker = Local(name, ON_A_GPU[name], workload)
    _log(f"checking {worker.label}")
    found = first_steps(worker, workload.recipe.max_grad_norm)
    compare(worker, workload.starting_weights(), found, expected)
    worker("start", workload.clip_norm, NOISE_DEVIATION)
    worker("warm_up", range(workload.steps_per_epoch))
    return worker


def _seconds_per_step(xp, workload: Workload, worker: Local, epoch: int) -> float:
    steps = workload.steps_per_epoch
    span = range(epoch * steps, (epoch + 1) * steps)
    return seconds_on_device(xp, partial(worker, "train", span)) / steps


def training(xp, arguments) -> Iterator[Outcome]:
    """Train the joint model for all epochs with their evaluations, by the wall clock."""
    recipe, data = BabiSpec("joint", 1, arguments.data_dir).load(xp)
    for which in ("first", "second"):  # the first run loads kernels
        began = time.perf_counter()
        run = _trained(data, recipe, SEED, "cupy")
        took = time.perf_counter() - began
        target = ("<= 10", took <= 10) if which == "second" else ("", None)
        yield Outcome(
            f"joint: s, {recipe.epochs} epochs with evaluations, {which} run", took, *target
        )
    yield Outcome("joint: mean test accuracy, seed 0", run.result["testing_accuracy"])


def restarts(xp, arguments) -> Iterator[Outcome]:
    """Time the training of increasing numbers of starts side by side."""
    recipe, data = BabiSpec("joint", 1, arguments.data_dir).load(xp)
    for count in STARTS:
        steps = steps_for([_trainer(recipe, data, SEED + (n << 32)) for n in range(count)])
        epoch = steps.trainers[0].batches.steps_per_epoch
        train = partial(steps.train, epoch)
        train()
        times = [seconds_on_device(xp, train) for _ in range(arguments.rounds)]
        rate = count * epoch * recipe.batch_size / median(times)
        target = (">= 5e6", rate >= 5e6) if count == max(STARTS) else ("", None)
        yield Outcome(f"joint: questions/s, {count} starts", rate, *target)


def large(xp, arguments) -> Iterator[Outcome]:
    """Time steps of the large configuration, and compare them with their lower bound."""
    per_second, rate = bandwidth(xp), float32_rate(xp)
    yield Outcome("measured bandwidth, GB/s", per_second / 1e9)
    yield Outcome("measured float32 rate, TFLOP/s", rate / 1e12)
    for name, spec in LARGE_SHARING.items():
        seconds, packing = large_step_seconds(xp, spec)
        yield Outcome(f"{name}: ms per step", seconds * 1e3)
        yield Outcome(f"{name}: additional ms to pack the batch of a step", packing * 1e3)
        work = least_work(Workload(spec))
        for part, amount in work.items():
            yield Outcome(f"{name}: {part}", amount)
        operations = sum(amount for part, amount in work.items() if part != "bytes")
        bound = max(work["bytes"] / per_second, operations / rate)
        yield Outcome(f"{name}: lower bound, ms per step", bound * 1e3)
        ratio = seconds / bound
        yield Outcome(f"{name}: step over lower bound", ratio, "<= 2", ratio <= 2)


def large_step_seconds(xp, spec: RandomSpec) -> tuple[float, float]:
    """Return the time of a step whose batch is packed, and the additional time of a new batch."""
    recipe, data = spec.load(xp)
    times = []
    for shuffle in (False, True):
        trainer = _trainer(replace(recipe, shuffle_questions=shuffle), data, SEED)
        epoch = trainer.batches.steps_per_epoch
        train = partial(steps_for([trainer]).train, epoch)
        train()
        times.append(median_seconds(xp, train) / epoch)
    packed, new = times
    return packed, new - packed


def accuracy(xp, arguments) -> Iterator[Outcome]:
    """Train the joint model from three seeds on the GPU and on the CPU."""
    spec, means = BabiSpec("joint", 1, arguments.data_dir), {}
    for backend, module in (("cupy", xp), ("numpy", numpy)):
        recipe, data = spec.load(module)
        accuracies = []
        for seed in SEEDS:
            with kernel_threads(os.cpu_count() or 1):
                run = _trained(data, recipe, seed, backend)
            accuracies.append(run.result["testing_accuracy"])
            yield Outcome(f"joint on {backend}: mean test accuracy, seed {seed}", accuracies[-1])
        means[backend] = fmean(accuracies)
        yield Outcome(f"joint on {backend}: mean over seeds", means[backend])
    difference = 100 * abs(means["cupy"] - means["numpy"])
    yield Outcome(
        "joint: difference of the two means, percentage points",
        difference,
        "<= 0.5",
        difference <= 0.5,
    )


def _trained(data: TaskData, recipe: KeyValueRecipe, seed: int, backend: str) -> TaskRun:
    """Return a run that has trained all epochs with their evaluations."""
    run = TaskRun(data, recipe, seed, backend=backend, kernels="fused")
    train_runs([run], on_steps=lambda count: None, stop_requested=lambda: False)
    return run


SECTIONS = {
    "correctness": correctness,
    "joint": joint,
    "training": training,
    "restarts": restarts,
    "large": large,
    "accuracy": accuracy,
}


def _print_error(error: Exception) -> str:
    """Print the traceback of an error, and return its message as one line."""
    traceback.print_exception(error)
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _log(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
