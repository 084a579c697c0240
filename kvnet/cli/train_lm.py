"""Train a language model with a memory, from the command line."""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

from kvnet.backend import array_module
from kvnet.cli.arguments import (
    ArgumentParser,
    path_name,
    refuse_without_effect,
    whole_number,
)
from kvnet.cli.curves import (
    Panel,
    Perplexities,
    TrainingPicture,
    perplexities,
    seeds_text,
    settings_text,
)
from kvnet.cli.event_files import EventFiles
from kvnet.cli.exit_code import exit_code
from kvnet.cli.outputs import Outputs, add_pictures, check_output_flags
from kvnet.cli.picture import Picture
from kvnet.cli.published import PENN_TREEBANK
from kvnet.cli.report import perplexity_table
from kvnet.cli.run_names import RunNames
from kvnet.cli.training import (
    CHECKPOINT,
    MOST_RESTARTS,
    Training,
    check_checkpoints,
    checkpoint_in,
    choose,
    make_printer,
    report_stop,
)
from kvnet.cli.training_arguments import add_machine, add_recipe, machine, recipe_from
from kvnet.data.text import (
    END,
    encode_texts,
    known_words,
    made_texts,
    read_texts,
    unknown_text,
    words_of_text,
)
from kvnet.errors import InputError, settings_as_flags, shown
from kvnet.text_continuer import NextWord, TextContinuer
from kvnet.training.recipes.language_model import LanguageModelRecipe
from kvnet.training.stop import StopRequest
from kvnet.training.text_loss import text_loss
from kvnet.training.text_run import TextRun, perplexity
from kvnet.version import __version__

USED_ANYWHERE = ("checkpoint_dir", "backend", "kernels", "threads", "show")
USED_TO_GENERATE = (*USED_ANYWHERE, "generate", "length", "explain", "random_state")
USED_TO_TEST = (*USED_ANYWHERE, "is_test", "data_dir", "data_name")
EXPLAINED_WORDS = 3  # of a context, for each hop


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
        arguments.quiet = not arguments.show
        return _run(arguments, parser.prog, argv)

    with settings_as_flags():
        return exit_code(parser.prog, command)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=Path(sys.argv[0]).name,  # train_lm.py, or kvnet-train-lm where a wheel put it
        description="Train an End-To-End Memory Network to predict the next word of a text.",
    )
    parser.add_argument(
        "--data-dir",
        type=path_name,
        help="folder of a text's three files (default: made by the simulator)",
    )
    parser.add_argument(
        "--data-name",
        type=path_name,
        default="ptb",
        help="NAME of NAME.{train,valid,test}.txt (default: ptb)",
    )
    parser.add_argument(
        "--checkpoint-dir", type=path_name, metavar="DIR", help="folder to keep the state in"
    )
    parser.add_argument("--resume", action="store_true", help="continue from --checkpoint-dir")
    parser.add_argument(
        "--is-test",
        type=_truth,
        nargs="?",
        const=True,
        default=False,
        metavar="BOOL",
        help="evaluate the model in --checkpoint-dir, without training",
    )
    parser.add_argument(
        "--show",
        type=_truth,
        nargs="?",
        const=True,
        default=True,
        metavar="BOOL",
        help="show the progress (default: true)",
    )
    parser.add_argument(
        "--generate", metavar="WORDS", help="continue this text with the model in --checkpoint-dir"
    )
    parser.add_argument(
        "--length",
        type=whole_number(1),
        default=20,
        help="words to add with --generate (default: 20)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="with --generate, show the words that each hop attends to most",
    )
    parser.add_argument(
        "--random-state", type=whole_number(0, 2**32 - 1), default=0, help="seed (default: 0)"
    )
    parser.add_argument(
        "--restarts",
        type=whole_number(1, MOST_RESTARTS),
        default=1,
        help="starts; the best on validation counts (default: 1)",
    )
    parser.add_argument("--log-file", type=path_name, help="write a JSON line per epoch")
    add_pictures(parser, "the perplexity by epoch")
    add_machine(parser)
    parser.add_argument("--version", action="version", version=f"kvnet {__version__}")
    title = "hyper-parameters (default: the published value)"
    add_recipe(parser, title, {"lm": LanguageModelRecipe})
    return parser


def _truth(text):
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{shown(text)} is out of range; it takes true or false")
    return text.lower() == "true"


def _run(arguments, program, argv) -> int:
    say = make_printer(arguments.quiet)
    if arguments.generate is not None:
        refuse_without_effect(arguments, "--generate", USED_TO_GENERATE)
        with machine(arguments, say):
            return _generate(arguments)
    for name in ("explain", "length"):
        if name in arguments.given:
            raise InputError(
                f"{arguments.given[name]} needs --generate WORDS, the text to continue"
            )
    if arguments.is_test:
        refuse_without_effect(arguments, "--is-test", USED_TO_TEST)
        with machine(arguments, say):
            return _test(arguments)
    if "data_name" in arguments.given and arguments.data_dir is None:
        raise InputError("--data-name needs --data-dir DIR, the folder of the text's files")
    recipe = recipe_from(arguments, LanguageModelRecipe())
    with machine(arguments, say), StopRequest() as stop, ExitStack() as locks:
        return _train(arguments, recipe, say, stop, locks, program, argv)


def _train(arguments, recipe, say, stop, locks, program, argv) -> int:
    """Read the text, train every start and report the results."""
    began, xp = time.monotonic(), array_module(arguments.backend)
    paths = [_checkpoint_path(arguments, start) for start in range(arguments.restarts)]
    planned = [path for path in paths if path]
    folders = [Path(arguments.checkpoint_dir)] if planned else []
    check_output_flags(arguments, {"--checkpoint-dir": [*folders, *planned]})
    folder = arguments.checkpoint_dir
    check_checkpoints("--checkpoint-dir", folder, arguments.resume, planned, locks)
    data = encode_texts(_texts(arguments, say), recipe.memory_size, xp)
    words = f"{len(data.training):,} words for training, {len(data.vocabulary):,} different"
    say(f"{words}, a memory of {recipe.memory_size} words")

    def new_run(start):
        machine = arguments.backend, arguments.kernels
        return TextRun(data, recipe, arguments.random_state, start, *machine, paths[start])

    outputs = _outputs(arguments, recipe)
    training = Training(arguments.resume, arguments.quiet, outputs, stop, say)
    starts, finished = training.train(new_run, arguments.restarts, "training")
    if not finished:
        return report_stop(stop, starts, "--checkpoint-dir", program, argv)
    best = choose(starts, say)
    say("computing the perplexity of the validation and the test text")
    rows = [("training text, last epoch", perplexity(best.trainer.loss))]
    validation, test = _report(arguments, best.model, data, rows)
    measured = Perplexities("this training", validation, test, ours=True)
    others = [Perplexities(*row, ours=False) for row in _published(arguments)]
    outputs.finish([best.result], perplexities([measured, *others]))
    say(f"{time.monotonic() - began:.1f} s in total")
    return outputs.code


def _outputs(arguments, recipe) -> Outputs:
    """Return what is written while training."""
    names = RunNames(starts=arguments.restarts > 1)
    picture = None
    if arguments.plot:
        text = arguments.data_name if arguments.data_dir else "stories of the simulator"
        seeds = seeds_text([arguments.random_state], arguments.restarts)
        lines = _published_lines(_published(arguments), recipe)
        curves = {
            "training": lambda record: perplexity(record["loss"]),
            "validation": lambda record: perplexity(record["validation_loss"]),
        }
        picture = TrainingPicture(
            Picture(arguments.plot),
            f"Language model of {text}",
            settings_text(recipe, seeds),
            [Panel("perplexity", curves, published=lines)],
            names,
        )
    event_files = arguments.tensorboard and EventFiles(arguments.tensorboard, names)
    return Outputs(arguments.log_file, picture, event_files or None)


def _published_lines(published, recipe) -> list[tuple[str, float]]:
    """Return the validation perplexity of the published MemN2N, of the same size or the best."""
    validation = {name: valid for name, valid, _ in published if valid is not None}
    if not validation:
        return []
    same = f"MemN2N, {recipe.hops} hops, memory {recipe.memory_size}"
    name = same if same in validation else min(validation, key=validation.get)
    return [(f"published validation: {row}", validation[row]) for row in (name, "LSTM")]


def _texts(arguments, say) -> dict[str, list[str]]:
    if arguments.data_dir:
        return read_texts(Path(arguments.data_dir), arguments.data_name)
    say("No --data-dir: training on stories made by the built-in simulator.")
    return made_texts()


def _checkpoint_path(arguments, start) -> Path | None:
    if arguments.checkpoint_dir is None:
        return None
    folder = Path(arguments.checkpoint_dir)
    return (folder / f"start-{start}" if arguments.restarts > 1 else folder) / CHECKPOINT


def _report(arguments, model, data, rows) -> tuple[float, float]:
    """Print the perplexities, with the published ones; return validation and test perplexity."""
    validation, test = (
        perplexity(text_loss(model, text)) for text in (data.validation, data.testing)
    )
    rows = [*rows, ("validation text", validation), ("test text", test)]
    print(perplexity_table(rows, _published(arguments)))
    return validation, test


def _published(arguments) -> tuple[tuple[str, float | None, float], ...]:
    """Return the published perplexities if the text is Penn Treebank's."""
    return PENN_TREEBANK if arguments.data_dir and arguments.data_name == "ptb" else ()


def _loaded(arguments, flag) -> TextContinuer:
    if arguments.checkpoint_dir is None:
        raise InputError(f"{flag} needs --checkpoint-dir DIR, the folder of a trained model")
    path = checkpoint_in(arguments.checkpoint_dir, flag)
    return TextContinuer.load(path, arguments.backend, arguments.kernels)


def _test(arguments) -> int:
    continuer = _loaded(arguments, "--is-test")
    model, vocabulary = continuer.model, continuer.vocabulary
    if arguments.data_dir is None:
        texts = made_texts()
        if {word for words in texts.values() for word in words} != set(vocabulary.words):
            raise InputError(
                "--is-test needs --data-dir DIR: the model was not trained on the simulator's text"
            )
        if "data_name" in arguments.given:
            raise InputError("--data-name needs --data-dir DIR, the folder of the text's files")
    else:
        texts = read_texts(Path(arguments.data_dir), arguments.data_name)
    known = {name: known_words(words, vocabulary, name) for name, words in texts.items()}
    for name, words in texts.items():
        _report_unknown(words, vocabulary, name)
    data = encode_texts(known, model.config.memory_size, model.xp, vocabulary)
    _report(arguments, model, data, [])
    return 0


def _report_unknown(words, vocabulary, name) -> None:
    """Say on standard error, even if the progress is not shown, which words were not read."""
    text = unknown_text(words, vocabulary, name)
    if text:
        print(text, file=sys.stderr, flush=True)


def _generate(arguments) -> int:
    """Print the text and every word that is added to it at once."""
    continuer = _loaded(arguments, "--generate")
    written = words_of_text(arguments.generate)
    words = known_words(written, continuer.vocabulary, "--generate")
    _report_unknown(written, continuer.vocabulary, "--generate")
    added, before = [], END
    drawn = continuer.draw_words(arguments.generate, arguments.random_state)
    drawn = islice(drawn, arguments.length)
    for word in chain(words, drawn):
        if isinstance(word, NextWord):
            added.append(word) if arguments.explain else None
            word = word.word
        if word == END:
            print(flush=True)
        else:
            print(("" if before == END else " ") + word, end="", flush=True)
        before = word
    print()
    for next_word in added:
        print(_explained(next_word))
    return 0


def _explained(next_word: NextWord) -> str:
    """Lay out a word and, for each hop, the words with the largest attention and their distance."""
    lines = [f"{next_word.word}  (probability {next_word.probability:.3f})"]
    for hop, weights in enumerate(next_word.attention, start=1):
        most = weights.argsort(kind="stable")[::-1][:EXPLAINED_WORDS]
        seen = [f"{weights[i]:.2f} {next_word.context[i]} (-{i + 1})" for i in most]
        lines.append(f"  hop {hop}: " + ", ".join(seen))
    return "\n".join(lines)
