"""Train a language model with a memory, from the command line."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import kvnet
from kvnet.backend import array_module, chosen_backend
from kvnet.cli.arguments import (
    ArgumentParser,
    add_machine,
    add_settings,
    check_writable,
    settings_from,
    whole_number,
)
from kvnet.cli.compiling import compiling_told
from kvnet.cli.exit_code import exit_code
from kvnet.cli.report import perplexity_table
from kvnet.cli.stop import StopRequest
from kvnet.cli.training import (
    CHECKPOINT,
    check_checkpoints,
    checkpoint_in,
    choose,
    say_stopped,
    speaker,
    train_starts,
)
from kvnet.text_continuer import NextWord, continue_text, load_language_model, prompt_words
from kvnet.data.text import END, encode_texts, made_texts, read_texts
from kvnet.errors import InputError
from kvnet.kernels import kernel_threads
from kvnet.cli.published import PENN_TREEBANK
from kvnet.training.recipes.language_model import LanguageModelSettings
from kvnet.training.text_loss import text_loss
from kvnet.training.text_run import TextRun, perplexity

TOLD_WORDS = 3  # of a context, for each hop


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; the process's without it.

    Returns
    -------
    code : int
        0; 130 or 143 when stopped by Ctrl-C or SIGTERM; else as `exit_code` says.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = _parser()
    arguments = parser.parse_args(argv)
    arguments.quiet = not arguments.show
    return exit_code(parser.prog, lambda: _run(arguments, parser.prog, argv))


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=Path(sys.argv[0]).name,  # train_lm.py, or kvnet-train-lm where a wheel put it
        description="Train an End-To-End Memory Network to foretell a text's next word.",
    )
    parser.add_argument(
        "--data-dir", help="folder of the text's three files; without it kvnet makes a text"
    )
    parser.add_argument(
        "--data-name", default="ptb", help="NAME.train.txt, NAME.valid.txt, NAME.test.txt (ptb)"
    )
    parser.add_argument("--checkpoint-dir", metavar="DIR", help="folder to keep the state in")
    parser.add_argument("--resume", action="store_true", help="go on from --checkpoint-dir")
    parser.add_argument(
        "--is-test",
        type=_truth,
        nargs="?",
        const=True,
        default=False,
        metavar="BOOL",
        help="measure the model of --checkpoint-dir, without training",
    )
    parser.add_argument(
        "--show",
        type=_truth,
        nargs="?",
        const=True,
        default=True,
        metavar="BOOL",
        help="show the progress (true)",
    )
    parser.add_argument(
        "--generate", metavar="WORDS", help="go on with this text, with the model of the same"
    )
    parser.add_argument(
        "--length", type=whole_number(1), default=20, help="words that --generate adds (20)"
    )
    parser.add_argument(
        "--explain", action="store_true", help="and tell which words each hop looked at"
    )
    parser.add_argument(
        "--random-state", type=whole_number(0, 2**32 - 1), default=0, help="seed of everything (0)"
    )
    parser.add_argument(
        "--restarts", type=whole_number(1), default=1, help="starts; the best on validation counts"
    )
    parser.add_argument("--log-file", help="write a JSON line an epoch")
    add_machine(parser)
    parser.add_argument("--version", action="version", version=f"kvnet {kvnet.__version__}")
    title = "hyper-parameters (without a flag: the published value)"
    add_settings(parser, title, LanguageModelSettings)
    return parser


def _truth(text):
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is out of range; it takes true or false")
    return text.lower() == "true"


def _run(arguments, program, argv) -> int:
    say = speaker(arguments.quiet)
    arguments.backend = chosen_backend(arguments.backend, say)
    with kernel_threads(arguments.threads), compiling_told(say):
        if arguments.generate is not None:
            return _generate(arguments)
        if arguments.explain:
            raise InputError("--explain needs --generate WORDS, the text to go on with")
        if arguments.is_test:
            return _test(arguments)
        settings = settings_from(arguments, LanguageModelSettings())
        check_writable("--log-file", arguments.log_file)
        with StopRequest() as stop:
            return _train(arguments, settings, stop, program, argv)


def _train(arguments, settings, stop, program, argv) -> int:
    """Read the text, train every start and report."""
    began, say = time.monotonic(), speaker(arguments.quiet)
    xp = array_module(arguments.backend)
    data = encode_texts(_texts(arguments, say), settings.mem_size, xp)
    paths = [_checkpoint_path(arguments, start) for start in range(arguments.restarts)]
    check_checkpoints("--checkpoint-dir", arguments.checkpoint_dir, arguments.resume, paths)
    words = f"{len(data.training):,} words for training, {len(data.vocabulary):,} different"
    say(f"{words}, {settings.mem_size} of them in the memory")
    starts = [
        TextRun(
            data,
            settings,
            arguments.random_state,
            start,
            arguments.backend,
            arguments.kernels,
            path,
        )
        for start, path in enumerate(paths)
    ]
    if not train_starts(starts, "training", arguments, [], stop):
        return say_stopped(stop, starts, "--checkpoint-dir", program, argv)
    best = choose(starts, say)
    rows = [("training text, last epoch", perplexity(best.trainer.loss))]
    _report(arguments, best.model, data, rows)
    say(f"{time.monotonic() - began:.1f} s in all")
    return 0


def _texts(arguments, say) -> dict[str, list[str]]:
    if arguments.data_dir:
        return read_texts(Path(arguments.data_dir), arguments.data_name)
    say("No --data-dir: training on stories made by kvnet's own simulator.")
    return made_texts()


def _checkpoint_path(arguments, start) -> Path | None:
    if arguments.checkpoint_dir is None:
        return None
    folder = Path(arguments.checkpoint_dir)
    return (folder / f"start-{start}" if arguments.restarts > 1 else folder) / CHECKPOINT


def _report(arguments, model, data, rows) -> None:
    """Print the perplexities; on Penn Treebank, beside the published ones."""
    rows = [
        *rows,
        ("validation text", perplexity(text_loss(model, data.validation))),
        ("test text", perplexity(text_loss(model, data.testing))),
    ]
    published = PENN_TREEBANK if arguments.data_dir and arguments.data_name == "ptb" else ()
    print(perplexity_table(rows, published))


def _loaded(arguments, flag):
    if arguments.checkpoint_dir is None:
        raise InputError(f"{flag} needs --checkpoint-dir DIR, the folder of a trained model")
    path = checkpoint_in(arguments.checkpoint_dir, flag)
    return load_language_model(path, arguments.backend, arguments.kernels)


def _test(arguments) -> int:
    model, vocabulary = _loaded(arguments, "--is-test")
    texts = _texts(arguments, speaker(arguments.quiet))
    data = encode_texts(texts, model.config["mem_size"], model.xp, vocabulary)
    _report(arguments, model, data, [])
    return 0


def _generate(arguments) -> int:
    model, vocabulary = _loaded(arguments, "--generate")
    words = prompt_words(arguments.generate, vocabulary)
    added = continue_text(model, vocabulary, words, arguments.length, arguments.random_state)
    text = " ".join([*words[1:], *(next_word.word for next_word in added)])
    print("\n".join(line.strip() for line in text.split(END)))
    if arguments.explain:
        for next_word in added:
            print(_explained(next_word))
    return 0


def _explained(next_word: NextWord) -> str:
    """Lay out a word, and for each hop the words that it looked at most and how far back."""
    lines = [f"{next_word.word}  (probability {next_word.probability:.3f})"]
    for hop, weights in enumerate(next_word.attention, start=1):
        most = weights.argsort(kind="stable")[::-1][:TOLD_WORDS]
        seen = [f"{weights[i]:.2f} {next_word.context[i]} (-{i + 1})" for i in most]
        lines.append(f"  hop {hop}: " + ", ".join(seen))
    return "\n".join(lines)
