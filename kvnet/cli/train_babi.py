"""Train a memory network on the bAbI tasks, from the command line."""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from operator import itemgetter
from pathlib import Path
from statistics import fmean, stdev

from kvnet.backend import array_module
from kvnet.cli.arguments import (
    ArgumentParser,
    path_name,
    refuse_without_effect,
    seed_list,
    whole_number,
)
from kvnet.cli.ask import ask
from kvnet.cli.curves import (
    Bar,
    Panel,
    Results,
    TrainingPicture,
    bars,
    seeds_text,
    settings_text,
)
from kvnet.cli.event_files import EventFiles
from kvnet.cli.exit_code import exit_code
from kvnet.cli.generation import check_generation, generation_text
from kvnet.cli.outputs import Outputs, add_pictures, check_output_flags
from kvnet.cli.picture import Picture
from kvnet.cli.published import published
from kvnet.cli.report import accuracies, accuracy_table, csv_text, means_by_seed
from kvnet.cli.run_names import RunNames
from kvnet.cli.training import (
    CHECKPOINT,
    CHOICES_AMONG_STARTS,
    MOST_RESTARTS,
    Training,
    check_checkpoints,
    checkpoint_in,
    choose,
    make_printer,
    report_stop,
)
from kvnet.cli.training_arguments import add_machine, add_recipe, machine, recipe_from
from kvnet.data.babi import Task, embedded_task, encode_tasks, find_data_dir, read_task
from kvnet.data.babi_format import TASK_NAMES
from kvnet.data.dataset import cut_text
from kvnet.errors import InputError, settings_as_flags
from kvnet.files.atomic_file import write_atomically
from kvnet.training.recipes.key_value import KEY_VALUE_PRESETS, KeyValueRecipe
from kvnet.training.recipes.memn2n import MEMN2N_PRESETS, MemN2NRecipe
from kvnet.training.recipes.recipe import Recipe
from kvnet.training.stop import StopRequest
from kvnet.training.task_run import TaskRun
from kvnet.version import __version__

PRESETS = {"kv": KEY_VALUE_PRESETS, "memn2n": MEMN2N_PRESETS}
RECIPES = {"kv": KeyValueRecipe, "memn2n": MemN2NRecipe}
USED_TO_ASK = ("ask", "checkpoint", "plot", "backend", "kernels", "threads", "quiet")
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
        0; 130, 143 or 129 after Ctrl-C, SIGTERM or SIGHUP; otherwise as `exit_code` says.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = _parser()

    def command():
        arguments = parser.parse_args(argv)
        # Not defaults of the parser: it would accept --task-id 1 with --joint, and 0 with --seeds.
        arguments.task_id = arguments.task_id or 1
        arguments.random_state = arguments.random_state or 0
        return _run(arguments, parser.prog, argv)

    with settings_as_flags():
        return exit_code(parser.prog, command)


def _run(arguments, program, argv) -> int:
    say = make_printer(arguments.quiet)
    if arguments.ask:
        refuse_without_effect(arguments, "--ask", USED_TO_ASK)
        path = _checkpoint_to_ask(arguments)
        check_output_flags(arguments, {"--checkpoint": [Path(arguments.checkpoint), path]})
        picture = Picture(arguments.plot) if arguments.plot else None
        with machine(arguments, say):
            return ask(path, arguments.backend, arguments.kernels, picture)
    recipe = _recipe(arguments)
    if "choose_by" in arguments.given and arguments.restarts == 1:
        raise InputError("--choose-by has no effect without --restarts; add it, or drop the flag")
    with machine(arguments, say), StopRequest() as stop, ExitStack() as locks:
        return _train(arguments, recipe, say, stop, locks, program, argv)


def _train(arguments, recipe, say, stop, locks, program, argv) -> int:
    """Load the tasks, train every run and report the results."""
    began, xp = time.monotonic(), array_module(arguments.backend)
    numbers = _task_numbers(arguments)
    groups = [numbers] if arguments.joint else [[number] for number in numbers]
    _check_files(arguments, groups, locks)
    tasks = _load_tasks(arguments, numbers, say)
    groups = [tasks] if arguments.joint else [[task] for task in tasks]
    for task in tasks:
        cut = cut_text([*task.train, *task.valid, *task.test], recipe.memory_size)
        if cut:
            say(f"task {task.number}: {cut}")
    if arguments.param_output_file:
        write_atomically(arguments.param_output_file, _flags_text(arguments, recipe).encode())

    questions = max(len(task.train) for task in tasks)
    reader = getattr(recipe, "reader", "bow")
    table = published(arguments.model, arguments.joint, reader, questions)
    outputs = _outputs(arguments, recipe, tasks, table)
    training = Training(arguments.resume, arguments.quiet, outputs, stop, say)
    records = []
    for seed in _seeds_of(arguments):
        for group in groups:
            data = encode_tasks(group, recipe.memory_size, seed, xp)
            group_numbers = [task.number for task in group]

            def new_run(start, data=data, seed=seed, group_numbers=group_numbers):
                path = _checkpoint_path(arguments, seed, group_numbers, start)
                machine = arguments.backend, arguments.kernels
                return TaskRun(data, recipe, seed, start, *machine, path)

            name = _name(arguments, group_numbers, seed)
            starts, finished = training.train(new_run, arguments.restarts, name)
            if not finished:
                return report_stop(stop, starts, "--checkpoint", program, argv)
            records.append(choose(starts, say, arguments.choose_by).result)

    results = accuracies(records)
    if arguments.output_file:
        write_atomically(arguments.output_file, csv_text(results).encode())
    print(accuracy_table(results, table))
    _print_spread(arguments, records, groups)
    outputs.finish(records, _bars(results, table))
    say(f"{time.monotonic() - began:.1f} s in total")
    return outputs.code


def _outputs(arguments, recipe, tasks, table) -> Outputs:
    """Return what is written while training."""
    each = arguments.task_id == "all" and not arguments.joint
    names = RunNames(each, bool(arguments.seeds), arguments.restarts > 1)
    picture = None
    if arguments.plot:
        what = f"task {tasks[0].number}: {TASK_NAMES[tasks[0].number]}"
        if len(tasks) > 1:
            models = "one model each" if each else "one model for all"
            what = f"tasks 1 to {len(tasks)}, {models}"
        seeds = seeds_text(_seeds_of(arguments), arguments.restarts)
        settings = settings_text(recipe, f"model {arguments.model}", seeds)
        small = _panels_by_task(tasks, table) if len(tasks) > 1 else {}
        picture = TrainingPicture(
            Picture(arguments.plot), f"bAbI {what}", settings, _panels(each), names, small
        )
    event_files = arguments.tensorboard and EventFiles(arguments.tensorboard, names)
    return Outputs(arguments.log_file, picture, event_files or None)


def _panels(each) -> list[Panel]:
    """Return the panels of all tasks; if each has a model, accuracies are shown by task only."""
    loss = Panel("mean training loss per question", {"training": itemgetter("loss")})
    shares = {
        "training": itemgetter("training_accuracy"),
        "validation": lambda record: record.get("validation_accuracy"),
    }
    return [loss] if each else [loss, Panel("accuracy", shares, is_share=True)]


def _panels_by_task(tasks, table) -> dict[str, Panel]:
    """Return a panel per task, with the published test accuracy."""
    panels = {}
    for number in (task.number for task in tasks):
        shares = {
            split: partial(_accuracy_on, split, str(number)) for split in ("training", "validation")
        }
        lines = [("published (test)", table.accuracy[number])] if table else []
        title = f"{number} {TASK_NAMES[number]}"
        panels[title] = Panel("accuracy", shares, is_share=True, published=lines)
    return panels


def _accuracy_on(split, task, record):
    return record.get(f"{split}_accuracy_by_task", {}).get(task)


def _bars(results, table) -> Results:
    """Return the panel of the test accuracies, with the published ones."""
    rows = [
        Bar(f"{task} {TASK_NAMES[task]}", splits["testing"], table and table.accuracy[task])
        for task, splits in results.items()
    ]
    if len(rows) > 1:
        mean = table and fmean(table.accuracy[task] for task in results)
        rows.append(Bar("mean", means_by_seed(results, "testing"), mean))
    return bars(rows, "test accuracy", table and f"published ({table.label})")


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
        type=path_name,
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
        type=whole_number(1, MOST_RESTARTS),
        default=1,
        help="number of starts, of which the best is reported (default: 1)",
    )
    parser.add_argument(
        "--choose-by",
        choices=CHOICES_AMONG_STARTS,
        default="validation",
        help="accuracy or loss that selects the best start (default: validation)",
    )
    parser.add_argument(
        "--checkpoint", type=path_name, metavar="DIR", help="folder to keep the state in"
    )
    parser.add_argument("--resume", action="store_true", help="continue from --checkpoint")
    parser.add_argument(
        "--ask", action="store_true", help="answer questions from the terminal with --checkpoint"
    )
    parser.add_argument(
        "--output-file", type=path_name, help="write the accuracies as CSV, one row per task"
    )
    parser.add_argument(
        "--param-output-file", type=path_name, help="write the flags as NAME=value lines"
    )
    parser.add_argument("--log-file", type=path_name, help="write a JSON line per evaluation")
    add_pictures(parser, "curves and accuracies, or with --ask the attention")
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


def _task_numbers(arguments) -> list[int]:
    all_tasks = arguments.joint or arguments.task_id == "all"
    return list(TASK_NAMES) if all_tasks else [arguments.task_id]


def _load_tasks(arguments, numbers, say) -> list[Task]:
    folder = find_data_dir(arguments.data_dir)
    if folder is not None:
        for name in ("train_size", "questions_per_task"):
            if name in arguments.given:
                raise InputError(
                    f"{arguments.given[name]} is for the built-in simulator, not for {folder}; "
                    "drop the flag, or leave --data-dir and $KVNET_DATA unset"
                )
        return [read_task(folder, number) for number in numbers]
    questions = arguments.questions_per_task or EMBEDDED_SIZES[arguments.train_size]
    say(
        f"No --data-dir and no $KVNET_DATA: training on {questions:,} questions per task made by "
        "the built-in simulator."
    )
    check_generation(questions * len(numbers), "--questions-per-task")
    announcement = generation_text(questions * len(numbers))
    if announcement:
        say(announcement)
    return [embedded_task(number, questions) for number in numbers]


def _check_files(arguments, groups, locks) -> None:
    """Refuse to lose or mix files, before anything is read; lock the folders of checkpoints."""
    planned = [
        path
        for seed in _seeds_of(arguments)
        for numbers in groups
        for start in range(arguments.restarts)
        if (path := _checkpoint_path(arguments, seed, numbers, start))
    ]
    folders = [Path(arguments.checkpoint)] if arguments.checkpoint else []
    check_output_flags(arguments, {"--checkpoint": [*folders, *planned]})
    check_checkpoints("--checkpoint", arguments.checkpoint, arguments.resume, planned, locks)


def _seeds_of(arguments) -> list[int]:
    return arguments.seeds or [arguments.random_state]


def _checkpoint_path(arguments, seed, numbers, start) -> Path | None:
    """Return a run's checkpoint: in the folder, or below it where there are several runs."""
    if arguments.checkpoint is None:
        return None
    folder = Path(arguments.checkpoint)
    if arguments.seeds:
        folder /= f"seed-{seed}"
    if arguments.task_id == "all" and not arguments.joint:
        folder /= f"task-{numbers[0]:02}"
    if arguments.restarts > 1:
        folder /= f"start-{start}"
    return folder / CHECKPOINT


def _name(arguments, numbers, seed) -> str:
    name = "joint" if arguments.joint else f"task {numbers[0]}"
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
        "plot",
        "tensorboard",
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
