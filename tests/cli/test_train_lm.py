"""The command that trains a language model, run as a user runs it."""

import json
import signal
import sys
from functools import partial
from math import exp

import pytest
from helpers.commands import run, start, wait_for

from kvnet import LanguageModelRecipe, TextContinuer
from kvnet.cli.train_lm import main
from kvnet.cli.training import CHECKPOINT
from kvnet.data.text import made_words

train_lm = partial(run, main)
SMALL = ["--edim", "8", "--lindim", "4", "--nhop", "2", "--mem-size", "10"]


@pytest.fixture(autouse=True)
def _program_name(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train_lm.py"])


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A folder with three short texts, one sentence per line."""
    folder = tmp_path_factory.mktemp("texts")
    for split in ("train", "valid", "test"):
        words = " ".join(made_words(split)[:2500]).replace("<eos>", "\n")
        (folder / f"tale.{split}.txt").write_text(words)
    return folder


@pytest.fixture(scope="module")
def trained(texts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    flags = ["--data-dir", texts, "--data-name", "tale", "--nepoch", 2, "--show", "false", *SMALL]
    assert train_lm(*flags, "--checkpoint-dir", folder) == 0
    return folder


def test_one_text_with_a_log_file(texts, tmp_path, capsys):
    log = tmp_path / "log"
    flags = ["--data_dir", texts, "--data_name=tale", "--nepoch", 3, *SMALL, "--clip", "each"]
    assert train_lm(*flags, "--averaging", 0.5, "--log-file", log) == 0
    out, err = capsys.readouterr()
    rows = dict(line.rsplit(maxsplit=1) for line in out.splitlines()[1:])
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3]
    losses = [record["validation_loss"] for record in records]
    assert losses[-1] < losses[0]
    assert float(rows["validation text"]) == round(exp(losses[-1]), 1)  # the average, in both
    assert float(rows["test text"]) < 100
    assert set(rows) == {"training text, last epoch", "validation text", "test text"}
    assert "epoch 3/3, perplexity" in err and "words/s" in err and "left" in err
    assert "Published" not in out


def test_without_data_it_trains_on_the_simulator(capsys):
    assert train_lm("--nepoch", 1, *SMALL, "--batch-size", 512) == 0
    out, err = capsys.readouterr()
    assert "training on stories made by the built-in simulator" in err
    assert "test text" in out


def test_published_perplexities_are_printed_with_penn_treebank(texts, tmp_path, capsys):
    for split in ("train", "valid", "test"):
        (tmp_path / f"ptb.{split}.txt").write_text((texts / f"tale.{split}.txt").read_text())
    assert train_lm("--data-dir", tmp_path, "--nepoch", 1, *SMALL, "--show", "False") == 0
    out, err = capsys.readouterr()
    assert "MemN2N, 6 hops, memory 150" in out and "114" in out
    assert err == ""


def test_the_start_with_the_best_validation_loss_is_reported(texts, tmp_path, capsys):
    log = tmp_path / "log"
    flags = ["--data-dir", texts, "--data-name", "tale", "--nepoch", 1, *SMALL, "--restarts", 3]
    assert train_lm(*flags, "--log-file", log, "--checkpoint-dir", tmp_path / "c") == 0
    out, err = capsys.readouterr()
    losses = [json.loads(line)["validation_loss"] for line in log.read_text().splitlines()]
    assert len(set(losses)) == 3
    best = losses.index(min(losses))
    assert f"start {best}, {tmp_path}/c/start-{best}: " in err.split("  <- chosen")[0]
    capsys.readouterr()
    folder = tmp_path / f"c/start-{best}"
    flags = ["--checkpoint-dir", folder, "--is-test", "--data-dir", texts, "--data-name", "tale"]
    assert train_lm(*flags) == 0
    assert capsys.readouterr().out.split()[-6:] == out.split()[-6:]


def test_fit_gives_the_same_bits_as_the_command(texts, tmp_path):
    train, valid = ((texts / f"tale.{split}.txt").read_text() for split in ("train", "valid"))
    for split, text in (("train", train), ("valid", valid), ("test", valid)):
        (tmp_path / f"t.{split}.txt").write_text(text)
    flags = ["--data-dir", tmp_path, "--data-name", "t", "--nepoch", 2, *SMALL, "--show", "false"]
    assert train_lm(*flags, "--random-state", 3, "--checkpoint-dir", tmp_path) == 0
    recipe = LanguageModelRecipe(embedding_size=8, linear_size=4, hops=2, memory_size=10, epochs=2)
    continuer = TextContinuer(recipe, random_state=3).fit(train, valid)
    loaded = TextContinuer.load(tmp_path / CHECKPOINT)
    assert loaded.recipe == recipe
    assert loaded.vocabulary.words == continuer.vocabulary.words
    assert (loaded.model.theta == continuer.model.theta).all()


def test_a_killed_run_resumes_to_the_same_bits(texts, tmp_path):
    flags = ["--data-dir", texts, "--data-name", "tale", "--nepoch", 25, *SMALL, "--show", "false"]
    flags += ["--init-lr", "0.2", "--batch-size", 64]  # so high that it is lowered
    whole, killed = (tmp_path / name / CHECKPOINT for name in ("whole", "killed"))
    log = tmp_path / "log"
    assert train_lm(*flags, "--checkpoint-dir", whole.parent, "--log-file", log) == 0
    rates = [json.loads(line)["learning_rate"] for line in log.read_text().splitlines()]
    assert rates[-1] < rates[0] == 0.2
    process = start("train_lm.py", *flags, "--checkpoint-dir", killed.parent)
    wait_for(killed, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert killed.read_bytes() != whole.read_bytes()
    assert train_lm(*flags, "--checkpoint-dir", killed.parent, "--resume", "--threads", 2) == 0
    assert killed.read_bytes() == whole.read_bytes()


def test_a_text_is_continued_and_explained(trained, capsys):
    flags = ["--checkpoint-dir", trained, "--generate", "mary moved to the", "--length", 4]
    assert train_lm(*flags) == 0
    plain = capsys.readouterr().out
    assert plain.startswith("mary moved to the")
    assert train_lm(*flags, "--explain") == 0
    lines = capsys.readouterr().out.removeprefix(plain).splitlines()
    assert len(lines) == 4 * 3
    assert "(probability 0." in lines[0]
    for hop in (1, 2):
        assert lines[hop].startswith(f"  hop {hop}: ")
        assert len(lines[hop].split(", ")) == 3
    assert "the (-1)" in "".join(lines[:3])
    assert train_lm(*flags, "--random-state", 5) == 0
    assert capsys.readouterr().out != plain


def test_unknown_words_are_read_as_unk_if_the_vocabulary_has_it(texts, tmp_path, capsys):
    for split in ("train", "valid", "test"):
        text = (texts / f"tale.{split}.txt").read_text().replace("kitchen", "<unk>")
        (tmp_path / f"t.{split}.txt").write_text(text)
    flags = ["--data-dir", tmp_path, "--data-name", "t", "--nepoch", 1, *SMALL, "--show", "false"]
    assert train_lm(*flags, "--checkpoint-dir", tmp_path / "c") == 0
    capsys.readouterr()
    assert (
        train_lm("--checkpoint-dir", tmp_path / "c", "--generate", "the zebra", "--length", 1) == 0
    )
    out, err = capsys.readouterr()
    assert out.startswith("the <unk> ") and len(out.split()) == 3
    assert "--generate: 1 of 2 words (50%) is not in the model's vocabulary" in err
    test = tmp_path / "t.test.txt"
    flags = ["--checkpoint-dir", tmp_path / "c", "--is-test", "--data-dir", tmp_path]
    assert train_lm(*flags, "--data-name", "t") == 0
    with_unk = capsys.readouterr().out
    assert "<unk>" in test.read_text()
    test.write_text(test.read_text().replace("<unk>", "scullery"))
    assert train_lm(*flags, "--data-name", "t") == 0
    out, err = capsys.readouterr()
    assert out == with_unk
    assert "t.test.txt: " in err and "words (2%) are not in the model's vocabulary and" in err
    assert train_lm("--checkpoint-dir", tmp_path / "c", "--is-test") == 2
    assert "--is-test needs --data-dir DIR: the model was not trained on" in capsys.readouterr().err


def test_invalid_flags_exit_with_2_and_one_line(texts, trained, tmp_path, capsys):
    for split in ("train", "valid"):
        (tmp_path / f"half.{split}.txt").write_text("a b c\n" * 20)
        (tmp_path / f"void.{split}.txt").write_text("\n")
        (tmp_path / f"odd.{split}.txt").write_text("the\n\nzebra gnu\n" * 20)
    (tmp_path / "void.test.txt").write_text("a\n")
    (tmp_path / "odd.test.txt").write_text("zebra\n" * 20)
    data = ["--data-dir", texts, "--data-name", "tale", "--show", "false"]
    checkpoint = ["--checkpoint-dir", trained]
    cases = [
        (["--data-dir", tmp_path, "--data-name", "half"], "half.test.txt: there is no such file"),
        (["--data-dir", tmp_path, "--data-name", "void"], "void.train.txt: the file is empty"),
        (["--data-dir", tmp_path / "none"], "ptb.train.txt: there is no such file"),
        (
            [*checkpoint, "--is-test", "--data-dir", tmp_path, "--data-name", "odd"],
            "odd.train.txt, from line 3 on: 'zebra', 'gnu' are not among the",
        ),
        ([*checkpoint, "--generate", "a zebra"], "'zebra' is not among the"),
        ([*data, "--mem-size", 100_000], "are too few for a memory of 100000 words; use"),
        (
            [*data, "--lindim", 151],
            "--lindim 151 is out of range; it takes a whole number from 0 to --edim 150",
        ),
        ([*data, "--clip", "none"], "--clip none is out of range; it takes global or each"),
        (
            [*data, "--init-lr", "1e29", *SMALL],
            "the training diverged; set --init-lr below",
        ),
        ([*data, "--epochs", 3], "--epochs is not a flag of this command"),
        (["--show", "perhaps"], "'perhaps' is out of range; it takes true or false"),
        (["--explain"], "--explain needs --generate"),
        (["--length", 3], "--length needs --generate"),
        (["--data-name", "x"], "--data-name needs --data-dir"),
        (["--data-dir", ""], "--data-dir: the name is empty"),
        *[
            (
                [*checkpoint, "--generate", "the", *extra],
                f"{extra[0]} has no effect with --generate",
            )
            for extra in (["--is-test"], ["--resume"], ["--edim", 9], ["--data-name", "tale"])
        ],
        *[
            ([*checkpoint, "--is-test", *data, *extra], f"{extra[0]} has no effect with --is-test")
            for extra in (["--resume"], ["--nhop", 2], ["--random-state", 1], ["--restarts", 2])
        ],
        (["--generate", "a"], "--generate needs --checkpoint-dir"),
        (["--is-test"], "--is-test needs --checkpoint-dir"),
        ([*checkpoint, *data, *SMALL], "exists already; add --resume"),
        (
            [*checkpoint, *data, *SMALL, "--resume", "--nepoch", 1],
            "has done 2 epochs, more than --nepoch 1; give at least as many",
        ),
        (
            [*checkpoint, *data, "--edim", 9, *SMALL[2:], "--resume"],
            "was trained with --edim 8, not 9",
        ),
        (["--resume", *data], "--resume needs --checkpoint-dir DIR"),
        (["--log-file", tmp_path, *data], "is a folder; give a file name"),
    ]
    for arguments, message in cases:
        assert train_lm(*arguments) == 2, arguments
        out, err = capsys.readouterr()
        assert message in err, (arguments, err)
        assert out == "" and err.count("\n") == 1 and err.startswith("train_lm.py: error: ")
