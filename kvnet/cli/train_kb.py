"""Train a memory network to answer questions from a knowledge base, from the command line."""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields, replace
from operator import itemgetter
from pathlib import Path

import numpy

from kvnet.backend import array_module
from kvnet.cli.arguments import (
    ArgumentParser,
    path_name,
    refuse_without_effect,
    seed_list,
    whole_number,
)
from kvnet.cli.ask_facts import ask_facts
from kvnet.cli.curves import Panel, TrainingPicture, bars, seeds_text, settings_text
from kvnet.cli.event_files import EventFiles
from kvnet.cli.exit_code import exit_code
from kvnet.cli.fact_report import csv_text, score_bars, score_table
from kvnet.cli.outputs import Outputs, add_pictures, check_output_flags
from kvnet.cli.picture import Picture
from kvnet.cli.published import METAQA_HITS
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
from kvnet.data.fact_data import encode_facts
from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.knowledge_questions import (
    NOT_IN_BASE,
    WAYS_WITH_UNKNOWN,
    Questions,
    held_out,
    joined,
)
from kvnet.data.made_world import made_questions, made_world
from kvnet.data.question_files import find_question_files, read_question_files
from kvnet.data.task_data import SPLITS
from kvnet.data.templates import questions_of_templates, read_templates
from kvnet.errors import InputError, settings_as_flags, shown
from kvnet.fact_answerer import FactAnswerer
from kvnet.files.atomic_file import write_atomically
from kvnet.hyper_parameter import flag_of
from kvnet.training.fact_run import FactRun
from kvnet.training.fact_scores import facts_cut
from kvnet.training.recipes.enough_steps import with_enough_steps
from kvnet.training.recipes.facts import (
    DEFAULT_FACT_PRESET,
    FACT_PRESETS,
    FACT_RECIPES,
)
from kvnet.training.stop import StopRequest
from kvnet.version import __version__

MADE_QUESTIONS = 30_000
VALIDATION_SHARE = 0.1
HOPS = (1, 2, 3)
USED_TO_ASK = (
    "ask",
    "checkpoint",
    "kb",
    "fold_case",
    "fold_unicode",
    "plot",
    "backend",
    "kernels",
    "threads",
    "quiet",
)


HITS = {
    "training": itemgetter("training_hits1"),
    "validation": lambda record: record.get("validation_hits1"),
}
PANELS = (
    Panel("mean training loss per question", {"training": itemgetter("loss")}),
    Panel("hits@1", HITS, is_share=True),
)


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
        # Not a default of the parser: it would accept --random-state 0 with --seeds.
        arguments.random_state = arguments.random_state or 0
        return _run(arguments, parser.prog, argv)

    with settings_as_flags():
        return exit_code(parser.prog, command)


def _run(arguments, program, argv) -> int:
    say = make_printer(arguments.quiet)
    if arguments.ask:
        refuse_without_effect(arguments, "--ask", USED_TO_ASK)
        if arguments.kb is None:
            _check_folding_has_a_base(arguments)
        with machine(arguments, say):
            return _ask(arguments, say)
    _check_sources(arguments)
    recipe = _recipe(arguments)
    if "choose_by" in arguments.given and arguments.restarts == 1:
        raise InputError("--choose-by has no effect without --restarts; add it, or drop the flag")
    with machine(arguments, say), StopRequest() as stop, ExitStack() as locks:
        return _train(arguments, recipe, say, stop, locks, program, argv)


def _train(arguments, recipe, say, stop, locks, program, argv) -> int:
    """Load the base and the questions, train every run and report the results."""
    began = time.monotonic()
    _check_files(arguments, locks)
    base, splits = _load(arguments, say)
    recipe = _fitting_recipe(arguments, recipe, splits["training"], say)
    data = encode_facts(base, splits, array_module(arguments.backend))
    say(_sizes_text(data))
    if arguments.param_output_file:
        write_atomically(arguments.param_output_file, _flags_text(arguments, recipe).encode())

    outputs = _outputs(arguments, recipe)
    training = Training(arguments.resume, arguments.quiet, outputs, stop, say)
    records = []
    for seed in _seeds_of(arguments):

        def new_run(start, seed=seed):
            path = _checkpoint_path(arguments, seed, start)
            run = FactRun(data, recipe, seed, start, arguments.backend, arguments.kernels, path)
            _say_what_is_cut(run, training.say_once)
            return run

        name = f"seed {seed}" if arguments.seeds else "training"
        starts, finished = training.train(new_run, arguments.restarts, name)
        if not finished:
            return report_stop(stop, starts, "--checkpoint", program, argv)
        records.append(choose(starts, say, arguments.choose_by).result)

    if arguments.output_file:
        write_atomically(arguments.output_file, csv_text(records).encode())
    published = METAQA_HITS if arguments.is_metaqa else None
    print(score_table(records, published))
    rows = score_bars(records, published)
    split = next(split for split in SPLITS if f"{split}_hits1" in records[0])
    outputs.finish(records, bars(rows, f"{split} hits@1", "published KV-MemNN"))
    say(f"{time.monotonic() - began:.1f} s in total")
    return outputs.code


def _outputs(arguments, recipe) -> Outputs:
    """Return what is written while training."""
    names = RunNames(seeds=bool(arguments.seeds), starts=arguments.restarts > 1)
    picture = None
    if arguments.plot:
        base = Path(arguments.kb).name if arguments.kb else "an invented world"
        seeds = seeds_text(_seeds_of(arguments), arguments.restarts)
        settings = settings_text(recipe, f"preset {arguments.preset}", seeds)
        picture = TrainingPicture(
            Picture(arguments.plot), f"Questions about {base}", settings, PANELS, names
        )
    event_files = arguments.tensorboard and EventFiles(arguments.tensorboard, names)
    return Outputs(arguments.log_file, picture, event_files or None)


def _fitting_recipe(arguments, recipe, questions, say):
    """Return a recipe whose epochs and memory fit the questions, where the flags leave it open."""
    hops = int(questions.hops.max())
    if hasattr(recipe, "memory_steps"):
        if not hasattr(arguments, "memory_steps"):
            recipe = replace(recipe, memory_steps=max(recipe.memory_steps, hops))
        if not hasattr(arguments, "hops"):
            recipe = replace(recipe, hops=max(recipe.hops, hops))
        if recipe.memory_steps < hops:
            say(
                f"the answers are up to {hops} facts away, but a memory has the facts within "
                f"{recipe.memory_steps}: --memory-steps {hops} would have them all"
            )
    elif recipe.hops < hops:
        say(
            f"the answers are up to {hops} facts away, but the model follows {recipe.hops}: "
            f"--max-hops {hops} would reach them all"
        )
    if hasattr(arguments, "epochs") or hasattr(arguments, "batch_size"):
        return recipe
    return with_enough_steps(recipe, len(questions))


def _say_what_is_cut(run, say):
    """Print how many facts the memories of each split have no room for."""
    for split in ("training", "validation", "testing"):
        dataset = getattr(run.data, split)
        if dataset is None:
            continue
        cut = facts_cut(run.model, dataset)
        if cut.any():
            say(
                f"{split}: {int((cut > 0).sum()):,} of {len(cut):,} memories are cut at "
                f"--memory-size {run.recipe.memory_size:,}, by {int(cut.sum()):,} facts in total"
            )


def _ask(arguments, say) -> int:
    """Answer questions from the base of a checkpoint, or from another one."""
    if arguments.checkpoint is None:
        raise InputError("--ask needs --checkpoint DIR, the folder of a trained model")
    path = checkpoint_in(arguments.checkpoint, "--ask")
    kept = {"--checkpoint": [Path(arguments.checkpoint), path]}
    check_output_flags(arguments, kept | ({"--kb": [Path(arguments.kb)]} if arguments.kb else {}))
    picture = Picture(arguments.plot) if arguments.plot else None
    answerer = FactAnswerer.load(path, arguments.backend, arguments.kernels)
    if arguments.kb is not None:
        answerer.base = _read_base(arguments, say)
    return ask_facts(answerer, picture)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=Path(sys.argv[0]).name,  # train_kb.py, or kvnet-train-kb where a wheel put it
        description="Train a memory network to answer questions from a knowledge base.",
    )
    parser.add_argument(
        "--kb",
        type=path_name,
        metavar="FILE",
        help="facts, a line subject|relation|object each, or with tabs (default: invented ones)",
    )
    parser.add_argument(
        "--questions",
        nargs="+",
        type=path_name,
        metavar="PATH",
        help="question files, or folders of them: MetaQA's, WikiMovies' or your own",
    )
    parser.add_argument(
        "--templates",
        type=path_name,
        metavar="FILE",
        help="sentences to make training questions of, a line 'relation<TAB>who directed []' each",
    )
    parser.add_argument(
        "--hops",
        dest="question_hops",  # a recipe has hops too
        type=_hops,
        metavar="1|2|3|1,2,3",
        help="MetaQA's questions to train on, and the invented world's (default: 1, and 1,2,3)",
    )
    parser.add_argument(
        "--made-questions",
        type=whole_number(10),
        metavar="N",
        help=f"training questions made from templates, at most (default: {MADE_QUESTIONS:,})",
    )
    parser.add_argument("--fold-case", action="store_true", help="names differ by more than case")
    parser.add_argument(
        "--fold-unicode", action="store_true", help="names differ by more than Unicode form (NFC)"
    )
    parser.add_argument(
        "--unknown-answers",
        choices=WAYS_WITH_UNKNOWN,
        default="keep",
        help="answers that the base lacks: count as not found, or stop (default: keep)",
    )
    parser.add_argument(
        "--unknown-entities",
        choices=WAYS_WITH_UNKNOWN,
        default="refuse",
        help="questions about no entity of the base: count as wrong, or stop (default: refuse)",
    )
    parser.add_argument(
        "--preset",
        choices=FACT_PRESETS,
        default=DEFAULT_FACT_PRESET,
        help=f"the model and its hyper-parameters (default: {DEFAULT_FACT_PRESET})",
    )
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
        help="score or loss that selects the best start (default: validation)",
    )
    parser.add_argument(
        "--checkpoint", type=path_name, metavar="DIR", help="folder to keep the state in"
    )
    parser.add_argument("--resume", action="store_true", help="continue from --checkpoint")
    parser.add_argument(
        "--ask",
        action="store_true",
        help="answer questions from the terminal with --checkpoint; with --kb, from other facts",
    )
    parser.add_argument(
        "--output-file",
        type=path_name,
        help="write the scores as CSV, a row per type of question",
    )
    parser.add_argument(
        "--param-output-file", type=path_name, help="write the flags as NAME=value lines"
    )
    parser.add_argument("--log-file", type=path_name, help="write a JSON line per evaluation")
    add_pictures(parser, "curves and scores, or with --ask the facts that each hop reads")
    parser.add_argument("--quiet", action="store_true", help="print the results only")
    parser.add_argument("--version", action="version", version=f"kvnet {__version__}")
    recipes = {model.__name__: recipe for model, recipe in FACT_RECIPES.items()}
    add_recipe(parser, "hyper-parameters (default: the preset's value)", recipes)
    return parser


def _hops(text):
    parts = text.split(",")
    if not all(part in ("1", "2", "3") for part in parts) or len(set(parts)) < len(parts):
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is out of range; it takes 1, 2 or 3, or several with commas between"
        )
    return sorted(map(int, parts))


def _check_sources(arguments):
    """Check that the flags name facts and questions that belong together."""
    if arguments.kb is None:
        for flag in ("questions", "templates"):
            if getattr(arguments, flag):
                raise InputError(f"--{flag} needs --kb FILE, the facts that they are about")
        _check_folding_has_a_base(arguments)
        return
    if not arguments.questions and not arguments.templates:
        raise InputError(
            "--kb needs questions to train on: give --questions PATH, or --templates FILE to make "
            "some"
        )
    if arguments.made_questions and not arguments.templates:
        raise InputError("--made-questions needs --templates FILE to make them from; drop it")
    if arguments.question_hops and not arguments.questions:
        raise InputError("--hops names MetaQA's questions and needs --questions PATH; drop it")


def _check_folding_has_a_base(arguments):
    for name in ("fold_case", "fold_unicode"):
        if getattr(arguments, name):
            raise InputError(f"{arguments.given[name]} needs --kb FILE; drop it")


def _check_files(arguments, locks):
    """Refuse to lose or mix files, before anything is read; lock the folders of checkpoints."""
    planned = [
        path
        for seed in _seeds_of(arguments)
        for start in range(arguments.restarts)
        if (path := _checkpoint_path(arguments, seed, start))
    ]
    kept = {"--checkpoint": [*([Path(arguments.checkpoint)] if planned else []), *planned]}
    read = {"--kb": [arguments.kb], "--templates": [arguments.templates]}
    read["--questions"] = arguments.questions or []
    kept |= {flag: [Path(name) for name in names if name] for flag, names in read.items()}
    check_output_flags(arguments, kept)
    check_checkpoints("--checkpoint", arguments.checkpoint, arguments.resume, planned, locks)


def _recipe(arguments):
    """Return the preset's recipe with the flags that were given."""
    preset = FACT_PRESETS[arguments.preset]
    own = {spec.name for spec in fields(preset)}
    for kind in FACT_RECIPES.values():
        for spec in fields(kind):
            if spec.name not in own and hasattr(arguments, spec.name):
                raise InputError(
                    f"--{flag_of(spec)} is not a flag of --preset {arguments.preset}; drop one of "
                    "the two"
                )
    return recipe_from(arguments, preset)


def _load(arguments, say) -> tuple[KnowledgeBase, dict[str, Questions]]:
    """Return the base and the questions of each split."""
    arguments.is_metaqa = False
    made = arguments.made_questions or MADE_QUESTIONS
    if arguments.kb is None:
        base = made_world()
        say(f"No --kb: training on an invented world of films and people, {len(base):,} facts.")
        splits = made_questions(base, made, hops=arguments.question_hops or HOPS)
    else:
        base = _read_base(arguments, say)
        splits = {}
        if arguments.templates:
            templates = read_templates(arguments.templates, base, say)
            splits = questions_of_templates(base, templates, made, say=say)
        if arguments.questions:
            splits |= _read_questions(arguments, base, splits.get("training"), say)
    training = splits["training"]
    known = numpy.flatnonzero(training.entities != NOT_IN_BASE)
    splits["training"] = training.select(known) if len(known) < len(training) else training
    if "validation" not in splits and len(known) >= 1 / VALIDATION_SHARE:
        splits["training"], splits["validation"] = held_out(
            splits["training"], VALIDATION_SHARE, 0, "validation"
        )
    return base, splits


def _read_base(arguments, say):
    return KnowledgeBase.read(arguments.kb, arguments.fold_case, arguments.fold_unicode, say)


def _read_questions(arguments, base, made, say):
    """Return the splits that the files have, with training questions that were made."""
    files = find_question_files(arguments.questions, arguments.question_hops or [1], made is None)
    hops = [hops for paths in files.values() for _, hops in paths]
    arguments.is_metaqa = all(hops)
    if arguments.question_hops and not any(hops):
        raise InputError(
            "--hops names MetaQA's questions, such as 1-hop/qa_train.txt, which --questions does "
            "not have; drop it"
        )
    for split, paths in files.items():
        for path, _ in paths:
            say(f"questions for {split}: {path}")
    words = {word for text in made.texts for word in text} if made else ()
    splits = read_question_files(
        files, base, arguments.unknown_answers, arguments.unknown_entities, words, say
    )
    if made and "training" in splits:
        splits["training"] = joined([made, splits["training"]])
    return splits


def _sizes_text(data):
    questions = ", ".join(
        f"{len(getattr(data, split)):,} for {split}"
        for split in ("training", "validation", "testing")
        if getattr(data, split) is not None
    )
    base = data.base
    return (
        f"{len(base):,} facts with {len(base.entities):,} entities and {len(base.relations)} "
        f"relations; questions: {questions}"
    )


def _seeds_of(arguments) -> list[int]:
    return arguments.seeds or [arguments.random_state]


def _checkpoint_path(arguments, seed, start) -> Path | None:
    """Return a run's checkpoint: in the folder, or below it where there are several runs."""
    if arguments.checkpoint is None:
        return None
    folder = Path(arguments.checkpoint)
    if arguments.seeds:
        folder /= f"seed-{seed}"
    if arguments.restarts > 1:
        folder /= f"start-{start}"
    return folder / CHECKPOINT


def _flags_text(arguments, recipe) -> str:
    names = (
        "kb",
        "questions",
        "templates",
        "question_hops",
        "made_questions",
        "fold_case",
        "fold_unicode",
        "unknown_answers",
        "unknown_entities",
        "preset",
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
    flags = {name: getattr(arguments, name) for name in names}
    flags["seeds" if arguments.seeds else "random_state"] = ",".join(map(str, _seeds_of(arguments)))
    flags |= asdict(recipe)
    lists = {name: ",".join(map(str, v)) for name, v in flags.items() if isinstance(v, list)}
    return "".join(
        f"{name}={value}\n" for name, value in (flags | lists).items() if value is not None
    )
