"""The language model's command line, run as a user runs it."""

import json
import signal
import subprocess
import sys
import time
from math import exp

import pytest
from helpers import ROOT

from kvnet.cli.train_lm import main
from kvnet.data.text import made_words

SMALL = ["--edim", "8", "--lindim", "4", "--nhop", "2", "--mem-size", "10"]


@pytest.fixture(autouse=True)
def _program_name(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train_lm.py"])


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A folder with three short texts, a sentence a line."""
    folder = tmp_path_factory.mktemp("texts")
    for split in ("train", "valid", "test"):
        words = " ".join(made_words(split)[:2500]).replace("<eos>", "\n")
        (folder / f"tale.{split}.txt").write_text(words)
    return folder


def run(*arguments):
    """Run in this process and return the exit code."""
    try:
        return main([str(a) for a in arguments])
    except SystemExit as stop:
        return stop.code


@pytest.fixture(scope="module")
def trained(texts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    flags = ["--data-dir", texts, "--data-name", "tale", "--nepoch", 2, "--show", "false", *SMALL]
    assert run(*flags, "--checkpoint-dir", folder) == 0
    return folder


def test_from_end_to_end(texts, tmp_path, capsys):
    log = tmp_path / "log"
    flags = ["--data_dir", texts, "--data_name=tale", "--nepoch", 3, *SMALL, "--clip", "each"]
    assert run(*flags, "--averaging", 0.5, "--log-file", log) == 0
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


def test_without_data_it_makes_its_own(capsys):
    assert run("--nepoch", 1, *SMALL, "--batch-size", 512) == 0
    out, err = capsys.readouterr()
    assert "made by kvnet's own simulator" in err
    assert "test text" in out


def test_published_figures_stand_beside_penn_treebank(texts, tmp_path, capsys):
    for split in ("train", "valid", "test"):
        (tmp_path / f"ptb.{split}.txt").write_text((texts / f"tale.{split}.txt").read_text())
    assert run("--data-dir", tmp_path, "--nepoch", 1, *SMALL, "--show", "False") == 0
    out, err = capsys.readouterr()
    assert "MemN2N, 6 hops, memory 150" in out and "114" in out
    assert err == ""


def test_the_best_start_counts(texts, tmp_path, capsys):
    log = tmp_path / "log"
    flags = ["--data-dir", texts, "--data-name", "tale", "--nepoch", 1, *SMALL, "--restarts", 3]
    assert run(*flags, "--log-file", log, "--checkpoint-dir", tmp_path / "c") == 0
    out, err = capsys.readouterr()
    losses = [json.loads(line)["validation_loss"] for line in log.read_text().splitlines()]
    assert len(set(losses)) == 3
    best = losses.index(min(losses))
    assert f"start {best}, {tmp_path}/c/start-{best}: " in err.split("  <- chosen")[0]
    capsys.readouterr()
    folder = tmp_path / f"c/start-{best}"
    flags = ["--checkpoint-dir", folder, "--is-test", "--data-dir", texts, "--data-name", "tale"]
    assert run(*flags) == 0
    assert capsys.readouterr().out.split()[-6:] == out.split()[-6:]


def test_a_killed_run_resumes_to_the_same_bits(texts, tmp_path):
    flags = ["--data-dir", texts, "--data-name", "tale", "--nepoch", 25, *SMALL, "--show", "false"]
    flags += ["--init-lr", "0.2", "--batch-size", 64]  # so high that it is lowered
    whole, killed = (tmp_path / name / "checkpoint.safetensors" for name in ("whole", "killed"))
    log = tmp_path / "log"
    assert run(*flags, "--checkpoint-dir", whole.parent, "--log-file", log) == 0
    rates = [json.loads(line)["learning_rate"] for line in log.read_text().splitlines()]
    assert rates[-1] < rates[0] == 0.2
    process = subprocess.Popen(
        [sys.executable, ROOT / "train_lm.py", *map(str, flags), "--checkpoint-dir", killed.parent]
    )
    while not killed.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert killed.read_bytes() != whole.read_bytes()
    assert run(*flags, "--checkpoint-dir", killed.parent, "--resume", "--threads", 2) == 0
    assert killed.read_bytes() == whole.read_bytes()


def test_a_text_goes_on_and_is_explained(trained, capsys):
    flags = ["--checkpoint-dir", trained, "--generate", "mary moved to the", "--length", 4]
    assert run(*flags) == 0
    plain = capsys.readouterr().out
    assert plain.startswith("mary moved to the")
    assert run(*flags, "--explain") == 0
    lines = capsys.readouterr().out.removeprefix(plain).splitlines()
    assert len(lines) == 4 * 3
    assert "(probability 0." in lines[0]
    for hop in (1, 2):
        assert lines[hop].startswith(f"  hop {hop}: ")
        assert len(lines[hop].split(", ")) == 3
    assert "the (-1)" in "".join(lines[:3])
    assert run(*flags, "--random-state", 5) == 0
    assert capsys.readouterr().out != plain


def test_unknown_words_are_unk_where_there_is_one(texts, tmp_path, capsys):
    for split in ("train", "valid", "test"):
        text = (texts / f"tale.{split}.txt").read_text().replace("kitchen", "<unk>")
        (tmp_path / f"t.{split}.txt").write_text(text)
    flags = ["--data-dir", tmp_path, "--data-name", "t", "--nepoch", 1, *SMALL, "--show", "false"]
    assert run(*flags, "--checkpoint-dir", tmp_path / "c") == 0
    capsys.readouterr()
    assert run("--checkpoint-dir", tmp_path / "c", "--generate", "the zebra", "--length", 1) == 0
    assert capsys.readouterr().out.startswith("the <unk>")
    test = tmp_path / "t.test.txt"
    there = ["--checkpoint-dir", tmp_path / "c", "--is-test", "--data-dir", tmp_path]
    assert run(*there, "--data-name", "t") == 0
    with_unk = capsys.readouterr().out
    assert "<unk>" in test.read_text()
    test.write_text(test.read_text().replace("<unk>", "scullery"))
    assert run(*there, "--data-name", "t") == 0
    assert capsys.readouterr().out == with_unk


def test_flags_that_are_wrong(texts, trained, tmp_path, capsys):
    for split in ("train", "valid"):
        (tmp_path / f"half.{split}.txt").write_text("a b c\n" * 20)
        (tmp_path / f"void.{split}.txt").write_text("\n")
        (tmp_path / f"odd.{split}.txt").write_text("the\n\nzebra gnu\n" * 20)
    (tmp_path / "void.test.txt").write_text("a\n")
    (tmp_path / "odd.test.txt").write_text("zebra\n" * 20)
    data = ["--data-dir", texts, "--data-name", "tale", "--show", "false"]
    there = ["--checkpoint-dir", trained]
    cases = [
        (["--data-dir", tmp_path, "--data-name", "half"], "half.test.txt: there is no such file"),
        (["--data-dir", tmp_path, "--data-name", "void"], "void.train.txt: the file is empty"),
        (["--data-dir", tmp_path / "none"], "ptb.train.txt: there is no such file"),
        (
            [*there, "--is-test", "--data-dir", tmp_path, "--data-name", "odd"],
            "odd.train.txt, from line 3 on: 'zebra', 'gnu' not among the",
        ),
        ([*there, "--generate", "a zebra"], "'zebra' not among the"),
        ([*data, "--mem-size", 100_000], "too few for a memory of mem_size=100000"),
        ([*data, "--lindim", 151], "lindim=151 is out of range; it takes a whole number from 0"),
        ([*data, "--clip", "none"], "clip='none' is out of range; it takes global or each"),
        ([*data, "--init-lr", "1e30", *SMALL], "the training diverged; set init_lr below"),
        ([*data, "--epochs", 3], "--epochs is no flag of this command"),
        (["--show", "perhaps"], "'perhaps' is out of range; it takes true or false"),
        (["--explain"], "--explain needs --generate"),
        (["--generate", "a"], "--generate needs --checkpoint-dir"),
        (["--is-test"], "--is-test needs --checkpoint-dir"),
        ([*there, *data, *SMALL], "is there already; add --resume"),
        ([*there, *data, *SMALL, "--resume", "--nepoch", 1], "has done 2 epochs, more than nepoch"),
        ([*there, *data, *SMALL, "--resume", "--edim", 9], "was trained with edim=8, not 9"),
        (["--resume", *data], "--resume needs --checkpoint-dir DIR"),
        (["--log-file", tmp_path, *data], "is a folder; give a file name"),
    ]
    for arguments, message in cases:
        assert run(*arguments) == 2, arguments
        out, err = capsys.readouterr()
        assert message in err, (arguments, err)
        assert out == "" and err.count("\n") == 1 and err.startswith("train_lm.py: error: ")
