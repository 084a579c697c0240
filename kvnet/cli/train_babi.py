"""Train a memory network on the bAbI tasks, from the command line."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev

from kvnet.backend import array_module, chosen_backend
from kvnet.cli.arguments import ArgumentParser, check_writable, seed_list, whole_number
from kvnet.cli.ask import ask
from kvnet.cli.compiling import announce_compilation
from kvnet.cli.exit_code import exit_code
from kvnet.cli.published import published
from kvnet.cli.report import accuracies, accuracy_table, csv_text
from kvnet.cli.training import (
    CHECKPOINT,
    CHOICES_AMONG_STARTS,
    Training,
    check_checkpoints,
    checkpoint_in,
    choose,
    make_printer,
    report_stop,
)
from kvnet.cli.training_arguments import add_machine, add_recipe, recipe_from
from kvnet.data.babi import Task, embedded_task, encode_tasks, find_data_dir, read_task
from kvnet.data.babi_format import TASK_NAMES
from kvnet.errors import InputError
from kvnet.files.atomic_file import write_atomically
from kvnet.kernels import kernel_threads
from kvnet.training.recipes.key_value import KEY_VALUE_PRESETS, KeyValueRecipe
from kvnet.training.recipes.memn2n import MEMN2N_PRESETS, MemN2NRecipe
from kvnet.training.recipes.recipe import Recipe
from kvnet.training.stop import StopRequest
from kvnet.training.task_run import TaskRun
from kvnet.version import __version__

PRESETS = {"kv": KEY_VALUE_PRESETS, "memn2n": MEMN2N_PRESETS}
RECIPES = {"kv": KeyValueRecipe, "memn2n": MemN2NRecipe}
EMBEDDED_SIZES = {"1k": 1000, "10k": 10_000}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    code : int
        0; 130 or 143 after Ctrl-C or SIGTERM; otherwise as `exit_code` says.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = _parser()
    arguments = parser.parse_args(argv)
    # Not defaults of the parser: it would accept --task-id 1 with --joint, and 0 with --seeds.
    arguments.task_id = arguments.task_id or 1
    arguments.random_state = arguments.random_state or 0
    return exit_code(parser.prog, lambda: _run(arguments, parser.prog, argv))


def _run(arguments, program, argv) -> int:
    say = make_printer(arguments.quiet)
    arguments.backend = chosen_backend(arguments.backend, say)
    with kernel_threads(arguments.threads), announce_compilation(say):
        if arguments.ask:
            return ask(_checkpoint_to_ask(arguments), arguments.backend, arguments.kernels)
        recipe = _recipe(arguments)
        for flag in ("output_file", "param_output_file", "log_file"):
            check_writable("--" + flag.replace("_", "-"), getattr(arguments, flag))
        with StopRequest() as stop:
            return _train(arguments, recipe, say, stop, program, argv)


def _train(arguments, recipe, say, stop, program, argv) -> int:
    """Load the tasks, train every run and report the results."""
    began, xp = time.monotonic(), array_module(arguments.backend)
    tasks = _load_tasks(arguments, say)
    groups = [tasks] if arguments.joint else [[task] for task in tasks]
    _check_checkpoints(arguments, groups)
    if arguments.param_output_file:
        write_atomically(arguments.param_output_file, _flags_text(arguments, recipe).encode())

    training = Training(arguments.resume, arguments.quiet, arguments.log_file, stop, say)
    records = []
    for seed in _seeds_of(arguments):
        for group in groups:
            data = encode_tasks(group, recipe.memory_size, seed, xp)
            starts = [
                TaskRun(
                    data,
                    recipe,
                    seed,
                    start,
                    arguments.backend,
                    arguments.kernels,
                    _checkpoint_path(arguments, seed, group, start),
                )
                for start in range(arguments.restarts)
            ]
            if not training.train(starts, _name(arguments, group, seed)):
                return report_stop(stop, starts, "--checkpoint", program, argv)
            records.append(choose(starts, say, arguments.choose_by).result)

    results = accuracies(records)
    if arguments.output_file:
        write_atomically(arguments.output_file, csv_text(results).encode())
    questions = max(len(task.train) for task in tasks)
    reader = getattr(recipe, "reader", "bow")
    table = published(arguments.model, arguments.joint, reader, questions)
    print(accuracy_table(results, table))
    _print_spread(arguments, records, groups)
    say(f"{time.monotonic() - began:.1f} s in total")
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=Path(sys.argv[0]).name,  # train_babi.py, or kvnet-train-babi where a wheel put it
        description="Train a memory network on the bAbI question answering tasks.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--task-id",
        type=_task_id,
        help="1 to 20, or all: one model each (default: 1)",
    )
    which.add_argument("--joint", action="store_true", help="one model for all tasks")
    parser.add_argument(
        "--model",
        choices=PRESETS,
        default="kv",
        help="Key-Value Memory Network or End-To-End Memory Network (default: kv)",
    )
    parser.add_argument(
        "--preset",
        choices=[name for presets in PRESETS.values() for name in presets],
        help="published hyper-parameters (default: MODEL-joint with --joint, else MODEL-single)",
    )
    parser.add_argument(
        "--data-dir",
        help="folder of bAbI files (default: $KVNET_DATA or simulator)",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--train-size",
        choices=EMBEDDED_SIZES,
        default="1k",
        help="training questions per task that the simulator makes (default: 1k)",
    )
    size.add_argument("--questions-per-task", type=whole_number(10), help="the same, from 10 on")
    add_machine(parser)
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--random-state", type=whole_number(0, 2**32 - 1), help="seed (default: 0)")
    seeds.add_argument(
        "--seeds",
        type=seed_list,
        help="train once per seed, such as 0,1,2; report mean and deviation",
    )
    parser.add_argument(
        "--restarts",
        type=whole_number(1),
        default=1,
        help="number of starts, of which the best is reported (default: 1)",
    )
    parser.add_argument(
        "--choose-by",
        choices=CHOICES_AMONG_STARTS,
        default="validation",
        help="accuracy or loss that selects the best start (default: validation)",
    )
    parser.add_argument("--checkpoint", metavar="DIR", help="folder to keep the state in")
    parser.add_argument("--resume", action="store_true", help="continue from --checkpoint")
    parser.add_argument(
        "--ask", action="store_true", help="answer questions from the terminal with --checkpoint"
    )
    parser.add_argument("--output-file", help="write the accuracies as CSV, one row per task")
    parser.add_argument("--param-output-file", help="write the flags as NAME=value lines")
    parser.add_argument("--log-file", help="write a JSON line per evaluation")
    parser.add_argument("--quiet", action="store_true", help="print the results only")
    parser.add_argument("--version", action="version", version=f"kvnet {__version__}")
    title = "hyper-parameters (default: the preset's value)"
    add_recipe(parser, title, RECIPES)
    return parser


def _task_id(text):
    if text == "all":
        return text
    try:
        return whole_number(1, 20)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or all; --joint trains one for all") from None


def _recipe(arguments) -> Recipe:
    presets = PRESETS[arguments.model]
    kind = "joint" if arguments.joint else "single"
    preset = arguments.preset or f"{arguments.model}-{kind}"
    if preset not in presets:
        raise InputError(
            f"--preset {preset} is not a preset of --model {arguments.model}; drop one of the two"
        )
    return recipe_from(arguments, presets[preset], *RECIPES.values())


def _load_tasks(arguments, say) -> list[Task]:
    all_tasks = arguments.joint or arguments.task_id == "all"
    numbers = list(TASK_NAMES) if all_tasks else [arguments.task_id]
    folder = find_data_dir(arguments.data_dir)
    if folder is None:
        questions = arguments.questions_per_task or EMBEDDED_SIZES[arguments.train_size]
        say(
            f"No --data-dir and no $KVNET_DATA: training on {questions:,} questions per task made "
            "by the built-in simulator."
        )
        return [embedded_task(number, questions) for number in numbers]
    if arguments.questions_per_task or arguments.train_size != "1k":
        raise InputError(
            f"--train-size and --questions-per-task are for the built-in simulator, not for "
            f"{folder}; drop the flag, or leave --data-dir and $KVNET_DATA unset"
        )
    return [read_task(folder, number) for number in numbers]


def _check_checkpoints(arguments, groups) -> None:
    planned = [
        _checkpoint_path(arguments, seed, group, start)
        for seed in _seeds_of(arguments)
        for group in groups
        for start in range(arguments.restarts)
    ]
    check_checkpoints("--checkpoint", arguments.checkpoint, arguments.resume, planned)


def _seeds_of(arguments) -> list[int]:
    return arguments.seeds or [arguments.random_state]


def _checkpoint_path(arguments, seed, group, start) -> Path | None:
    """Return a run's checkpoint: in the folder, or below it where there are several runs."""
    if arguments.checkpoint is None:
        return None
    folder = Path(arguments.checkpoint)
    if arguments.seeds:
        folder /= f"seed-{seed}"
    if arguments.task_id == "all" and not arguments.joint:
        folder /= f"task-{group[0].number:02}"
    if arguments.restarts > 1:
        folder /= f"start-{start}"
    return folder / CHECKPOINT


def _name(arguments, group, seed) -> str:
    name = "joint" if arguments.joint else f"task {group[0].number}"
    return f"{name}, seed {seed}" if arguments.seeds else name


def _print_spread(arguments, records, groups) -> None:
    """Print the mean test accuracy of each seed, and the mean and deviation over the seeds."""
    if not arguments.seeds:
        return
    runs = len(groups)
    means = [
        fmean(record["testing_accuracy"] for record in records[i * runs : (i + 1) * runs])
        for i in range(len(arguments.seeds))
    ]
    for seed, mean in zip(arguments.seeds, means, strict=True):
        print(f"seed {seed}: mean testing accuracy {mean:.4f}")
    if len(means) > 1:
        print(f"over {len(means)} seeds: {fmean(means):.4f} ± {stdev(means):.4f}")


def _flags_text(arguments, recipe: Recipe) -> str:
    flags = {"joint": True} if arguments.joint else {"task_id": arguments.task_id}
    names = (
        "model",
        "data_dir",
        "train_size",
        "questions_per_task",
        "backend",
        "kernels",
        "restarts",
        "choose_by",
        "output_file",
        "param_output_file",
        "log_file",
    )
    flags |= {name: getattr(arguments, name) for name in names}
    seeds = ",".join(map(str, _seeds_of(arguments)))
    flags["seeds" if arguments.seeds else "random_state"] = seeds
    flags |= asdict(recipe)
    return "".join(f"{name}={value}\n" for name, value in flags.items() if value is not None)


def _checkpoint_to_ask(arguments) -> Path:
    if arguments.checkpoint is None:
        raise InputError("--ask needs --checkpoint DIR, the folder of a trained model")
    return checkpoint_in(arguments.checkpoint, "--ask")
