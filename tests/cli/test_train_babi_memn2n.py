"""The command that trains on bAbI, with MemN2N."""

import csv
import json
import sys
from functools import partial
from io import StringIO

import pytest
from helpers.commands import run

from kvnet.cli.published import published
from kvnet.cli.train_babi import main
from kvnet.cli.training import CHECKPOINT
from kvnet.models import MemN2N

SMALL = ["--model", "memn2n", "--questions-per-task", 100]
train_babi = partial(run, main)


@pytest.fixture(autouse=True)
def _program_name(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train_babi.py"])
    monkeypatch.delenv("KVNET_DATA", raising=False)


def test_the_start_with_the_lowest_training_loss_is_reported(tmp_path, capsys):
    flags = [*SMALL, "--epochs", 4, "--linear-start", 2, "--evaluation-interval", 2]
    flags += ["--restarts", 2, "--choose-by", "training"]
    log, scores = tmp_path / "log", tmp_path / "scores"
    assert train_babi(*flags, "--log-file", log, "--output-file", scores) == 0
    out, err = capsys.readouterr()
    assert "Published (MemN2N, 1k single)" in out
    records = [json.loads(line) for line in log.read_text().splitlines()]
    last = [record for record in records if record["epoch"] == 4]
    best = min(last, key=lambda record: record["loss"])
    assert f"start {best['start']}: loss {best['loss']:.4f}" in err.split("  <- chosen")[0]
    rows = list(csv.reader(scores.read_text().splitlines()))
    assert float(rows[1][1]) == best["testing_accuracy"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--reader", "bow"], "--reader is not a flag of this model"),
        (["--preset", "kv-joint"], "--preset kv-joint is not a preset of --model memn2n"),
        (["--tying", "all"], "--tying all is out of range; it takes adjacent or layerwise"),
        (
            ["--linear-start", 0, "--epochs", 2, "--learning-rate", "1e20"],
            "the training diverged; set --learning-rate below 1e+20",
        ),
    ],
    ids=str,
)
def test_invalid_flags_exit_with_2_and_one_line(flags, message, capsys):
    assert train_babi(*SMALL, "--quiet", *flags) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


def test_a_resumed_run_has_the_same_bits(tmp_path):
    flags, whole, parts = [*SMALL, "--linear-start", 3, "--quiet"], tmp_path / "w", tmp_path / "p"
    assert train_babi(*flags, "--epochs", 5, "--checkpoint", whole) == 0
    assert train_babi(*flags, "--epochs", 2, "--checkpoint", parts) == 0
    assert not MemN2N.load(parts / CHECKPOINT).with_softmax
    assert train_babi(*flags, "--epochs", 5, "--checkpoint", parts, "--resume") == 0
    one, two = (MemN2N.load(folder / CHECKPOINT) for folder in (whole, parts))
    assert one.with_softmax and two.with_softmax
    assert (one.theta == two.theta).all()


def test_a_trained_model_can_be_asked(tmp_path, capsys, monkeypatch):
    flags = ["--model", "memn2n", "--questions-per-task", 300, "--epochs", 12, "--quiet"]
    assert train_babi(*flags, "--linear-start", 6, "--checkpoint", tmp_path) == 0
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", StringIO("Mary moved to the office.\nWhere is Mary?\n"))
    assert train_babi("--ask", "--checkpoint", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  (probability 0." in lines[0]
    assert lines[1] == "hop 1 hop 2 hop 3"
    assert lines[2].endswith("1 Mary moved to the office.")


def test_published_tables_have_the_published_means():
    joint, single = (
        published("memn2n", True, "bow", 1000).accuracy,
        published("memn2n", False, "bow", 1000).accuracy,
    )
    assert sum(joint.values()) / 20 == pytest.approx(0.876, abs=5e-4)
    assert sum(single.values()) / 20 == pytest.approx(0.862, abs=1e-3)
    assert published("memn2n", True, "bow", 10_000) is None
