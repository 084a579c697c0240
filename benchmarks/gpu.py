"""kvnet on a GPU: that it is right, and how fast it is, beside PyTorch on the same GPU.

Sections: ``correctness`` (a step equal to NumPy in float64, the same bits twice, copies counted);
``joint`` (steps of the published joint configuration beside PyTorch's, eager, then captured in CUDA
graphs; all are checked to do the same work, then take turns; medians by device events);
``training`` (200 epochs with evaluations); ``restarts`` (many starts in the same launches);
``large`` (a large configuration, its sentences all different or shared, against its floor: the
larger of fewest bytes over measured bandwidth and operations over measured float32 rate, as counted
in `roofline`); ``accuracy`` (joint training, three seeds, against the processor's). Every figure is
written at once, so a failure, Ctrl-C or a time limit costs the rest of a section only; sections of
one commit on one card may be measured one at a time and stand in one table.

PyTorch and CuPy share a process, a card and its default stream, both in full float32. What they
need is in docs/gpu.md.

    python benchmarks/gpu.py --data-dir ../shared/data/babi/tasks_1-20_v1-2/en
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
from peers.workload import SEED, RandomRecipe, Recipe, Workload
from roofline import least_work
from training_speed import compare, first_steps

from kvnet import KeyValueMemoryNetwork
from kvnet.backend import array_module, to_numpy
from kvnet.cli.arguments import ArgumentParser, check_writable, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.data.babi import find_data_dir
from kvnet.kernels import kernel_threads
from kvnet.parameter_vector import by_name
from kvnet.updates.noisy_adam import NOISE_DEVIATION
from kvnet.training.task_run import TaskRun
from kvnet.training.trainer import Trainer, train_side_by_side

LARGE = RandomRecipe(
    slots=500,
    vocabulary=20_000,
    hops=3,
    batch_size=1024,
    embedding_size=128,
    feature_size=128,
    length=12,
)
FULL = LARGE._replace(batches=1)
LARGE_SHARING = {  # how much of their memories questions share
    "large, 1,000 sentences": LARGE,
    "large, five questions a story": FULL._replace(questions_a_story=5),
    "large, every slot its own sentence": FULL._replace(questions_a_story=1),
}
EAGER = ("usual", "best", "by-hand")
CAPTURED = [n for n in ON_A_GPU if n not in ("reference", "kvnet", *EAGER)]
BARS = {"eager": (EAGER, 25), "captured": (CAPTURED, 5)}
STARTS = (1, 4, 16, 64)
SEEDS = (0, 1, 2)
QUESTIONS_OF_LARGE_CHECK = 256  # enough for the kernels of 1024; in float64 every slot is held
TOLERANCE = 1e-5
TOLERANCE_OF_MEANS = 1e-4  # sums of gradients that cancel
SAME_BITS_STEPS = 50


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", help="folder of bAbI files; else $KVNET_DATA; else made here")
    parser.add_argument("--sections", type=_sections, default=[*SECTIONS], help="some of them")
    parser.add_argument("--rounds", type=whole_number(1), default=7)
    parser.add_argument(
        "--peers", type=_peers, default=[*ON_A_GPU], help=f"of joint: some of {','.join(ON_A_GPU)}"
    )
    results = Path(__file__).parent.parent / "results/gpu.json"
    parser.add_argument("--json", default=str(results), help="results/gpu.json if not given")
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    return exit_code(parser.prog, lambda: _run(arguments))


def _some_of(known):
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known():
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known())}")
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
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        for name in arguments.sections:
            _say(f"section {name}")
            _measure(report, name, xp, arguments)
    finally:
        signal.signal(signal.SIGTERM, before)
        print(report.table())
    return 0 if report.all_met else 1


def _measure(report: Report, name: str, xp, arguments) -> None:
    """Run a section; if it fails, say of what, and let the others run."""
    report.begin(name, " ".join(["python", *sys.argv]))
    began, failure = time.perf_counter(), "interrupted"
    try:
        for outcome in SECTIONS[name](xp, arguments):
            report.add(outcome)
            _say(f"  {line(outcome)}")
        failure = None
    except Exception as error:
        failure = _told(error)
    finally:
        report.end(failure, torch_versions())
    _say(f"section {name} took {time.perf_counter() - began:.0f} s")


def correctness(xp, arguments) -> Iterator[Outcome]:
    """Compare a step with NumPy in float64, and a training with itself; count copies."""
    recipes = {
        "joint": Recipe("joint", 1, arguments.data_dir),
        "joint, simple_gru": Recipe("gru", 1, arguments.data_dir),
    }
    for name, recipe in LARGE_SHARING.items():
        few = recipe._replace(batch_size=QUESTIONS_OF_LARGE_CHECK)
        recipes[f"{name}, {few.batch_size} questions"] = few
    for name, recipe in recipes.items():
        parameters, means = errors_of_a_step(recipe, xp)
        for what, error, most in (
            ("a step's parameters", parameters, TOLERANCE),
            ("its gradient's mean", means, TOLERANCE_OF_MEANS),
        ):
            what = f"{name}: {what}, furthest from float64"
            yield Outcome(what, error, f"<= {most}", error <= most)
    yield from bits_and_copies(xp, Recipe("joint", 1, arguments.data_dir))


def errors_of_a_step(recipe, xp) -> tuple[float, float]:
    """Return the worst relative errors after one step from the same weights.

    Those of the parameters, which move little in a step, and of Adam's means, which start at zero.
    """
    settings, data = recipe.load()
    config = settings.new_model(len(data.vocabulary), data.sizes, SEED, "numpy", "reference").config
    models = {
        "float64": KeyValueMemoryNetwork(**config | {"dtype": "float64"}, kernels="reference"),
        "device": KeyValueMemoryNetwork(**config, backend="cupy", kernels="fused"),
    }
    models["float64"].theta[:] = to_numpy(models["device"].theta)
    datasets = {"float64": data, "device": recipe.load(xp)[1]}
    vectors = []
    for name, model in models.items():
        trainer = Trainer(model, datasets[name].training.dataset, settings, SEED)
        trainer.train(1)
        vectors.append([to_numpy(model.theta), to_numpy(trainer.optimizer.m)])
    return tuple(_worst(*pair, model.shapes) for pair in zip(*vectors, strict=True))


def _worst(expected, got, shapes) -> float:
    expected, got = by_name(expected, shapes), by_name(got, shapes)
    norm = numpy.linalg.norm
    return max(float(norm(got[name] - right) / norm(right)) for name, right in expected.items())


def bits_and_copies(xp, recipe) -> Iterator[Outcome]:
    """Train twice, and once beside other starts; count what is copied by how many steps."""
    settings, data = recipe.load(xp)

    def trainer(seed):
        model = settings.new_model(len(data.vocabulary), data.sizes, seed, "cupy", "fused")
        return Trainer(model, data.training.dataset, settings, seed)

    first, second, *beside = (trainer(seed) for seed in (SEED, SEED, SEED, SEED + 1, SEED + 2))
    for trainers in ([first], [second], beside):
        train_side_by_side(trainers, SAME_BITS_STEPS)
    expected = to_numpy(first.model.theta)
    for what, other in (("again", second), ("beside two other starts", beside[0])):
        apart = int((to_numpy(other.model.theta) != expected).sum())
        yield Outcome(f"joint: parameters that differ, trained {what}", apart, "0", apart == 0)
    counts, most = [], min(20, first.batches.steps_per_epoch)  # an epoch's at a time
    for steps in (1, most):
        with counted_copies(xp) as copies:
            train_side_by_side([first], steps)
        counts.append(len(copies))
    more = counts[1] - counts[0]
    yield Outcome(f"joint: copies of {most} steps more than of one", more, "0", more == 0)


def joint(xp, arguments) -> Iterator[Outcome]:
    """Time steps of the published joint configuration beside PyTorch, eager and then captured."""
    workload = Workload(Recipe("joint", 1, arguments.data_dir))
    expected = first_steps(
        Local("reference", ON_A_GPU["reference"], workload), workload.settings.max_grad_norm
    )
    for kind, (names, bar) in BARS.items():
        names = [name for name in names if name in arguments.peers]
        if names or kind == "eager":  # kvnet alone is timed once
            ours = ["kvnet"] if "kvnet" in arguments.peers else []
            yield from _beside(xp, arguments, workload, expected, kind, [*ours, *names], bar)


def _beside(xp, arguments, workload, expected, kind, names, bar) -> Iterator[Outcome]:
    """Check some peers and time them in turns; hold kvnet against the fastest of them."""
    entries = {}
    for name in names:
        try:
            entries[name] = _checked(workload, name, expected)
        except Exception as error:  # a peer that does not run here is left out, and named
            yield Outcome(f"{ON_A_GPU[name].label}: {_told(error)}", None)
    seconds = {name: [] for name in entries}
    for r in range(1, arguments.rounds + 1):
        for name, worker in [*entries.items()]:
            try:
                seconds[name].append(_seconds_a_step(xp, workload, worker, r))
            except Exception as error:
                del entries[name], seconds[name]
                yield Outcome(f"{ON_A_GPU[name].label}: {_told(error)}", None)
    medians = {name: median(times) for name, times in seconds.items()}
    for name, worker in entries.items():
        spread = f"{min(seconds[name]) * 1e6:.1f} to {max(seconds[name]) * 1e6:.1f}"
        yield Outcome(f"{worker.label}: µs a step, {spread}", medians[name] * 1e6)
    if "kvnet" not in names:
        return
    ours = medians.pop("kvnet", None)
    if ours:
        rate = workload.settings.batch_size / ours
        yield Outcome(f"kvnet: questions/s, beside {kind}", rate)
        for name, theirs in medians.items():
            yield Outcome(f"kvnet over {entries[name].label}", theirs / ours)
    if len(names) > 1:
        ratio, fastest = None, "none ran"
        if ours and medians:
            best = min(medians, key=medians.get)
            ratio, fastest = medians[best] / ours, entries[best].label
        count = f"{len(medians)} of {len(BARS[kind][0])} peers ran"
        version = torch_versions().get("torch", "not installed")
        what = f"joint: kvnet over the fastest PyTorch {kind}: {fastest}, {version}; {count}"
        yield Outcome(what, ratio, f">= {bar}", ratio is not None and ratio >= bar)


def _checked(workload: Workload, name: str, expected: tuple) -> Local:
    """Make a peer that does the same work as kvnet's reference.

    Raises
    ------
    InputError
        If its library is missing, or it does something else.
    """
    check_installed([name], ON_A_GPU)
    worker = Local(name, ON_A_GPU[name], workload)
    _say(f"checking {worker.label}")
    found = first_steps(worker, workload.settings.max_grad_norm)
    compare(worker, workload.starting_weights(), found, expected)
    worker("start", workload.settings.clip_norm, NOISE_DEVIATION)
    worker("warm_up", range(workload.steps_per_epoch))
    return worker


def _seconds_a_step(xp, workload: Workload, worker: Local, epoch: int) -> float:
    steps = workload.steps_per_epoch
    span = range(epoch * steps, (epoch + 1) * steps)
    return seconds_on_device(xp, partial(worker, "train", span)) / steps


def training(xp, arguments) -> Iterator[Outcome]:
    """Train joint for all epochs with their evaluations, by the clock on the wall."""
    settings, data = Recipe("joint", 1, arguments.data_dir).load(xp)
    for what in ("first", "second"):  # the first loads kernels
        began = time.perf_counter()
        run = TaskRun(data, settings, SEED, 0, "cupy", "fused")
        run.train(lambda count: None, lambda: False)
        took = time.perf_counter() - began
        bar = ("<= 10", took <= 10) if what == "second" else ("", None)
        yield Outcome(
            f"joint: s, {settings.epochs} epochs with evaluations, {what} time", took, *bar
        )
    yield Outcome("joint: mean test accuracy, seed 0", run.result["testing_accuracy"])


def restarts(xp, arguments) -> Iterator[Outcome]:
    """Train more and more starts side by side."""
    settings, data = Recipe("joint", 1, arguments.data_dir).load(xp)
    for count in STARTS:
        trainers = []
        for start in range(count):
            seed = SEED + (start << 32)
            model = settings.new_model(len(data.vocabulary), data.sizes, seed, "cupy", "fused")
            trainers.append(Trainer(model, data.training.dataset, settings, seed))
        steps = trainers[0].batches.steps_per_epoch
        train_side_by_side(trainers, steps)
        times = [
            seconds_on_device(xp, partial(train_side_by_side, trainers, steps))
            for _ in range(arguments.rounds)
        ]
        rate = count * steps * settings.batch_size / median(times)
        bar = (">= 5e6", rate >= 5e6) if count == max(STARTS) else ("", None)
        yield Outcome(f"joint: questions/s, {count} starts", rate, *bar)


def large(xp, arguments) -> Iterator[Outcome]:
    """Time steps of the large configuration and hold them against their floor."""
    per_second, rate = bandwidth(xp), float32_rate(xp)
    yield Outcome("measured bandwidth, GB/s", per_second / 1e9)
    yield Outcome("measured float32 rate, TFLOP/s", rate / 1e12)
    for name, recipe in LARGE_SHARING.items():
        seconds, packing = seconds_of_large_steps(xp, recipe)
        yield Outcome(f"{name}: ms a step", seconds * 1e3)
        yield Outcome(f"{name}: ms more where its batch is packed anew", packing * 1e3)
        work = least_work(Workload(recipe))
        for what, amount in work.items():
            yield Outcome(f"{name}: {what}", amount)
        operations = sum(amount for what, amount in work.items() if what != "bytes")
        floor = max(work["bytes"] / per_second, operations / rate)
        yield Outcome(f"{name}: ms, floor of a step", floor * 1e3)
        ratio = seconds / floor
        yield Outcome(f"{name}: step over floor", ratio, "<= 2", ratio <= 2)


def seconds_of_large_steps(xp, recipe) -> tuple[float, float]:
    """Return a step's seconds where its batch has come before, and a new batch's on top of them."""
    settings, data = recipe.load(xp)
    times = []
    for shuffle in (False, True):
        settings = replace(settings, shuffle_questions=shuffle)
        model = settings.new_model(len(data.vocabulary), data.sizes, SEED, "cupy", "fused")
        trainer = Trainer(model, data.training.dataset, settings, SEED)
        steps = trainer.batches.steps_per_epoch
        train = partial(trainer.train, steps)
        train()
        times.append(median_seconds(xp, train) / steps)
    again, anew = times
    return again, anew - again


def accuracy(xp, arguments) -> Iterator[Outcome]:
    """Train joint from three seeds on the GPU and on the processor."""
    recipe, means = Recipe("joint", 1, arguments.data_dir), {}
    for backend, module in (("cupy", xp), ("numpy", numpy)):
        settings, data = recipe.load(module)
        found = []
        for seed in SEEDS:
            run = TaskRun(data, settings, seed, 0, backend, "fused")
            with kernel_threads(os.cpu_count() or 1):
                run.train(lambda count: None, lambda: False)
            found.append(run.result["testing_accuracy"])
            yield Outcome(f"joint on {backend}: mean test accuracy, seed {seed}", found[-1])
        means[backend] = fmean(found)
        yield Outcome(f"joint on {backend}: mean over seeds", means[backend])
    apart = 100 * abs(means["cupy"] - means["numpy"])
    yield Outcome("joint: points between the two means", apart, "<= 0.5", apart <= 0.5)


SECTIONS = {
    "correctness": correctness,
    "joint": joint,
    "training": training,
    "restarts": restarts,
    "large": large,
    "accuracy": accuracy,
}


def _told(error: Exception) -> str:
    """Print where an error came from, and return it in a line."""
    traceback.print_exception(error)
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
