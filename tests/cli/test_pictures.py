"""``--plot`` and ``--tensorboard`` of the training commands."""

import errno
import io
import json
import re
import struct
import subprocess
import sys
from functools import partial
from math import exp, inf
from operator import itemgetter
from pathlib import Path
from xml.etree import ElementTree

import numpy
import pytest
from helpers.commands import run
from tensorboardX.proto.event_pb2 import Event, SessionLog

from kvnet import LanguageModelRecipe
from kvnet.cli import event_files, picture, train_babi, train_kb, train_lm
from kvnet.cli.attention_picture import MOST_QUESTIONS, Attended, AttentionPicture
from kvnet.cli.curves import Bar, Panel, Perplexities, TrainingPicture, bars, perplexities
from kvnet.cli.fact_report import score_bars
from kvnet.cli.picture import Picture
from kvnet.cli.published import METAQA_HITS, PENN_TREEBANK, SINGLE_1K
from kvnet.cli.run_names import RunNames
from kvnet.cli.training import CHECKPOINT
from kvnet.data.babi_format import TASK_NAMES
from kvnet.data.text import made_words
from kvnet.errors import InputError
from kvnet.training.stop import StopRequest
from kvnet.training.task_run import TaskRun

SVG = "{http://www.w3.org/2000/svg}"
MAIN = {"babi": train_babi.main, "kb": train_kb.main, "lm": train_lm.main}
BABI = ["--questions-per-task", 40, "--embedding-size", 4, "--feature-size", 4, "--quiet"]
ONE = ["--questions-per-task", 100, "--embedding-size", 8, "--feature-size", 8, "--quiet"]
ONE += ["--task-id", 1, "--batch-size", 8, "--epochs", 4, "--evaluation-interval", 1]
ONE += ["--learning-rate", "0.02"]
KB = ["--made-questions", 200, "--hops", 1, "--epochs", 2, "--quiet"]
LM = ["--edim", 8, "--lindim", 4, "--nhop", 3, "--mem-size", 10, "--nepoch", 2, "--show", "false"]


@pytest.fixture(autouse=True)
def _program_name(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py"])


def command(name, *arguments):
    return run(MAIN[name], *arguments)


def texts_of(file):
    """Return the texts in an SVG file."""
    root = ElementTree.parse(file)
    return [text.text for text in root.iter(f"{SVG}text") if text.text]


def curve(file, name):
    """Return the points of a curve in an SVG file, an array of x and y in pixels."""
    root = ElementTree.parse(file)
    (group,) = [group for group in root.iter(f"{SVG}g") if group.get("id") == name]
    path = group.find(f"{SVG}path").get("d")
    return numpy.array([pair.split() for pair in re.findall(r"[ML] (\S+ \S+)", path)], float)


def is_curve_of(file, name, values):
    """Return whether the points of a curve are at values, one after the other."""
    points, values = curve(file, name), numpy.array(values)
    if len(points) != len(values) or not (numpy.diff(points[:, 0]) > 0).all():
        return False
    if len(set(values)) == 1:
        return len(set(points[:, 1])) == 1
    slope, offset = numpy.polyfit(values, points[:, 1], 1)
    return slope < 0 and numpy.allclose(slope * values + offset, points[:, 1], atol=0.01)


def log_of(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def events_of(folder):
    """Return the events in the event files of a folder, in the order of their names."""
    found = []
    for file in sorted(folder.glob("events.out.tfevents.*")):
        content = file.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            found.append(Event.FromString(content[12 : 12 + length]))
            content = content[16 + length :]
    return found


def scalars_of(folder):
    """Return what TensorBoard shows, by tag the value at each step; START drops earlier ones."""
    scalars = {}
    for event in events_of(folder):
        if event.session_log.status == SessionLog.START:
            scalars = {
                tag: {step: value for step, value in values.items() if step < event.step}
                for tag, values in scalars.items()
            }
        for value in event.summary.value:
            scalars.setdefault(value.tag, {})[event.step] = value.simple_value
    return {tag: values for tag, values in scalars.items() if values}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A training of one task with all outputs."""
    folder = tmp_path_factory.mktemp("trained")
    files = [
        "--plot",
        folder / "p.svg",
        "--tensorboard",
        folder / "t/b",
        "--log-file",
        folder / "log",
    ]
    assert command("babi", *ONE, "--checkpoint", folder / "c", *files) == 0
    return folder


def test_a_picture_has_every_evaluation_and_the_published_accuracy(trained):
    texts, log = texts_of(trained / "p.svg"), log_of(trained / "log")
    assert len(log) == 4
    for record, id in (
        ("loss", "training-mean-training-loss-per-question"),
        ("training_accuracy", "training-accuracy"),
        ("validation_accuracy", "validation-accuracy"),
    ):
        values = [entry[record] for entry in log]
        assert len(set(values)) > 1 and is_curve_of(trained / "p.svg", id, values)
    assert {"epoch", "accuracy", "training", "validation", "test accuracy"} <= set(texts)
    assert {"1 single-supporting-fact", f"{log[-1]['testing_accuracy']:.3f}"} <= set(texts)
    assert "published (1k single, 200 epochs)" in texts
    assert any("seed 0" in text and "hops 3" in text and "epochs 4" in text for text in texts)
    assert "bAbI task 1: single-supporting-fact" in texts


def test_event_files_have_the_numbers_of_the_log(trained):
    log, scalars = log_of(trained / "log"), scalars_of(trained / "t/b")
    for name in ("loss", "learning_rate", "training_accuracy", "testing_accuracy"):
        expected = {record["step"]: record[name] for record in log}
        assert scalars[name] == pytest.approx(expected)
    expected = {record["step"]: record["validation_accuracy_by_task"]["1"] for record in log}
    assert scalars["validation_accuracy_by_task/1"] == pytest.approx(expected)
    assert "epoch" not in scalars and "step" not in scalars


def test_pictures_and_event_files_do_not_change_the_result(trained, tmp_path):
    assert command("babi", *ONE, "--checkpoint", tmp_path / "c") == 0
    assert (tmp_path / "c" / CHECKPOINT).read_bytes() == (trained / "c" / CHECKPOINT).read_bytes()


def stop_after(monkeypatch, evaluations):
    """Make a training stop after some evaluations, as if by Ctrl-C."""
    done, evaluate = [], TaskRun._evaluate

    class Stop(StopRequest):
        def __bool__(self):
            self.signal = 2 if len(done) >= evaluations else 0
            return bool(self.signal)

    def count(run):
        evaluate(run)
        done.append(run)

    monkeypatch.setattr(TaskRun, "_evaluate", count)
    monkeypatch.setattr(train_babi, "StopRequest", Stop)


def test_a_resumed_run_continues_the_curves(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(picture, "LEAST_PAUSE", 1e9)  # nothing but the first is drawn at once
    flags = [*ONE, "--checkpoint", tmp_path / "c", "--plot", tmp_path / "p.svg"]
    flags += ["--tensorboard", tmp_path / "t"]
    with monkeypatch.context() as patched:
        stop_after(patched, 2)
        assert command("babi", *flags) == 130
    assert "to continue: " in capsys.readouterr().err
    assert len(curve(tmp_path / "p.svg", "training-accuracy")) == 2
    assert "test accuracy" not in texts_of(tmp_path / "p.svg")
    assert len(scalars_of(tmp_path / "t")["loss"]) == 2
    assert command("babi", *flags, "--resume") == 0
    assert (tmp_path / "p.svg").read_bytes() == (trained / "p.svg").read_bytes()
    assert scalars_of(tmp_path / "t") == scalars_of(trained / "t/b")


def test_a_training_that_diverges_leaves_its_curve(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(picture, "LEAST_PAUSE", 1e9)
    epochs, evaluate = [], TaskRun._evaluate

    def diverge(run):
        evaluate(run)
        epochs.append(run.trainer.epoch)
        if len(epochs) == 3:
            run.model.theta[:] = numpy.nan

    monkeypatch.setattr(TaskRun, "_evaluate", diverge)
    flags = [*ONE, "--kernels", "reference", "--plot", tmp_path / "p.svg"]
    assert command("babi", *flags) == 2
    assert "the training diverged" in capsys.readouterr().err
    assert len(curve(tmp_path / "p.svg", "training-accuracy")) == 3


def test_a_joint_model_for_two_seeds(tmp_path, monkeypatch):
    monkeypatch.setattr(picture, "LEAST_PAUSE", 1e9)
    flags = [*BABI, "--joint", "--seeds", "3,4", "--epochs", 2, "--evaluation-interval", 1]
    files = ["--plot", tmp_path / "p.svg", "--log-file", tmp_path / "log"]
    assert command("babi", *flags, *files, "--tensorboard", tmp_path / "t") == 0
    texts, log = texts_of(tmp_path / "p.svg"), log_of(tmp_path / "log")
    for seed in (3, 4):
        values = [record["loss"] for record in log if record["random_state"] == seed]
        id = f"training-mean-training-loss-per-question-seed-{seed}"
        assert is_curve_of(tmp_path / "p.svg", id, values)
        assert f"seed {seed}" in texts
        assert len(scalars_of(tmp_path / f"t/seed-{seed}")["training_accuracy_by_task/20"]) == 2
    for number, name in TASK_NAMES.items():
        assert texts.count(f"{number} {name}") == 2  # a small panel, and a row of the results
    assert sum("±" in text for text in texts) == 21
    assert "mean" in texts and "published (1k joint)" in texts and "published (test)" in texts


def test_the_chosen_start_and_the_reported_evaluation_are_marked(tmp_path, capsys):
    flags = [*BABI, "--task-id", 6, "--restarts", 2, "--epochs", 30, "--evaluation-interval", 1]
    flags += ["--batch-size", 8, "--early-stopping", 3, "--learning-rate", "0.02"]
    files = ["--plot", tmp_path / "p.svg", "--log-file", tmp_path / "log"]
    assert command("babi", *flags, *files) == 0
    texts, log = texts_of(tmp_path / "p.svg"), log_of(tmp_path / "log")
    starts = [[r for r in log if r["start"] == start] for start in (0, 1)]
    best = max((0, 1), key=lambda i: max(r["validation_accuracy"] for r in starts[i]))
    assert f"start {best} (chosen)" in texts and f"start {1 - best}" in texts
    assert "reported" in texts
    for start, records in enumerate(starts):
        values = [record["validation_accuracy"] for record in records]
        assert is_curve_of(tmp_path / "p.svg", f"validation-accuracy-start-{start}", values)


def test_a_model_per_task_has_a_panel_per_task(tmp_path, monkeypatch):
    monkeypatch.setattr(picture, "LEAST_PAUSE", 1e9)
    flags = [*BABI, "--task-id", "all", "--epochs", 2, "--evaluation-interval", 1]
    files = ["--plot", tmp_path / "p.svg", "--log-file", tmp_path / "log"]
    assert command("babi", *flags, *files, "--tensorboard", tmp_path / "t") == 0
    log = log_of(tmp_path / "log")
    for task in TASK_NAMES:
        of_task = [r for r in log if str(task) in r["training_accuracy_by_task"]]
        name = f"training-accuracy-task-{task}"
        assert len(curve(tmp_path / "p.svg", name)) == len(of_task) == 2
        assert (tmp_path / f"t/task-{task:02}").is_dir()
    assert {"task 1", "task 20"} <= set(texts_of(tmp_path / "p.svg"))  # of the colour bar


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A training on the invented world."""
    folder = tmp_path_factory.mktemp("base")
    files = ["--plot", folder / "p.svg", "--log-file", folder / "log"]
    assert command("kb", *KB, "--checkpoint", folder / "c", *files) == 0
    return folder


def test_a_picture_of_a_knowledge_base_has_hits_by_type(base):
    texts, log = texts_of(base / "p.svg"), log_of(base / "log")
    values = [record["validation_hits1"] for record in log]
    assert is_curve_of(base / "p.svg", "validation-hits@1", values)
    types = log[-1]["testing_by_type"]
    assert len(types) > 5 and set(types) <= set(texts)
    assert {"1 hop", "all", "testing hits@1"} <= set(texts)
    rows = {bar.name: bar for bar in score_bars(log[-1:], METAQA_HITS)}
    assert rows["1 hop"].published == METAQA_HITS["1 hop"] and rows["all"].published is None
    assert rows["all"].values == [log[-1]["testing_hits1"]]
    assert texts.count(f"{log[-1]['testing_hits1']:.3f}") >= 2  # 1 hop, all
    assert not any("published" in text for text in texts)  # of MetaQA only


def test_a_picture_of_a_language_model_has_the_published_perplexity(tmp_path):
    for split in ("train", "valid", "test"):
        words = " ".join(made_words(split)[:2500]).replace("<eos>", "\n")
        (tmp_path / f"ptb.{split}.txt").write_text(words)
    files = ["--plot", tmp_path / "p.svg", "--log-file", tmp_path / "log", "--restarts", 2]
    assert command("lm", *LM, "--data-dir", tmp_path, *files) == 0
    texts, log = texts_of(tmp_path / "p.svg"), log_of(tmp_path / "log")
    for start in (0, 1):
        values = [exp(r["validation_loss"]) for r in log if r["start"] == start]
        assert is_curve_of(tmp_path / "p.svg", f"validation-perplexity-start-{start}", values)
    assert "published validation: MemN2N, 7 hops, memory 200" in texts  # none of this size
    assert "published validation: LSTM" in texts
    assert {"this training", "RNN", "122.0 / 115.0", "perplexity (lower is better)"} <= set(texts)


def test_the_published_model_of_the_same_size_is_drawn():
    recipe = LanguageModelRecipe(hops=6, memory_size=150)
    lines = train_lm._published_lines(PENN_TREEBANK, recipe)
    prefix = "published validation: "
    assert lines == [(f"{prefix}MemN2N, 6 hops, memory 150", 121), (f"{prefix}LSTM", 120)]
    assert train_lm._published_lines((), recipe) == []


def ask(monkeypatch, name, folder, text, *flags):
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    return command(name, "--ask", "--checkpoint", folder, "--quiet", *flags)


def test_the_attention_of_each_question_is_drawn(trained, tmp_path, monkeypatch, capsys):
    story = "Mary moved to the office.\nJohn went to the kitchen.\nWhere is Mary?\n"
    file = tmp_path / "p.svg"
    assert ask(monkeypatch, "babi", trained / "c", f"{story}Where is John?\n", "--plot", file) == 0
    out, texts = capsys.readouterr().out, texts_of(file)
    assert "1. Where is Mary?" in texts and "2. Where is John?" in texts
    assert texts.count("1 Mary moved to the office.") == 2
    assert {"hop", "sentence", "weight", out.splitlines()[0]} <= set(texts)
    printed = re.findall(r"\d\.\d\d\b(?!\d)", "\n".join(re.findall(r"^[ \d.]{10,}", out, re.M)))
    assert len(printed) == 2 * 3 * 3  # questions, hops, sentences with the empty slots
    drawn = [text for text in texts if re.fullmatch(r"\d\.\d\d", text)]
    assert sorted(drawn) == sorted(printed)


def test_the_facts_of_each_hop_are_drawn(base, tmp_path, monkeypatch, capsys):
    file, question = tmp_path / "p.svg", "who directed The Silent Mirror?"
    assert ask(monkeypatch, "kb", base / "c", f"{question}\n", "--plot", file) == 0
    out, texts = capsys.readouterr().out, texts_of(file)
    facts = re.findall(r"^  (.+ \| .+ \| .+) (\d\.\d\d)$", out, re.M)
    assert facts and {fact for fact, _ in facts} <= set(texts)
    assert {weight for _, weight in facts} <= set(texts)
    assert f"1. {question}" in texts and {"fact", "hop"} <= set(texts)
    assert any(text.startswith("FactChainNetwork: max hops 3") for text in texts)


def test_many_questions_leave_the_last_ones(trained, tmp_path, monkeypatch, capsys):
    count = MOST_QUESTIONS + 3
    text = "Mary went to the office.\n" + "Where is Mary?\n" * count
    assert ask(monkeypatch, "babi", trained / "c", text, "--plot", tmp_path / "p.svg") == 0
    texts = texts_of(tmp_path / "p.svg")
    assert f"questions 4 to {count} of {count}" in texts
    assert f"{count}. Where is Mary?" in texts and "3. Where is Mary?" not in texts
    assert f"p.svg has the last {MOST_QUESTIONS} of {count} questions" in capsys.readouterr().err


def test_unusual_questions_are_drawn(tmp_path, capsys):
    """Texts with signs of Matplotlib's own, many hops, no fact, a text that is too long."""
    drawing = AttentionPicture(Picture(str(tmp_path / "p.svg")), "sentence", "$title_$")
    odd = ["it costs $5 and $6", "_a_ <b> & \\alpha", "x" * 300]
    drawing.add(Attended("what is $x_$?", "$", odd, numpy.full((3, 40), 0.5)), at_once=True)
    drawing.add(Attended("a?", "b", ["(no fact)"], numpy.full((1, 1), numpy.nan)), at_once=True)
    assert drawing.finish(0) == 0
    texts = texts_of(tmp_path / "p.svg")
    assert {"1. what is $x_$?", *odd[:2], "$title_$", "40"} <= set(texts)
    assert max(map(len, texts)) < 100
    assert capsys.readouterr().err == ""
    drawing = AttentionPicture(Picture(str(tmp_path / "p.PNG")), "sentence", "title")
    for _ in range(2):
        drawing.add(Attended("何?", "b", ["人", "何"], numpy.ones((2, 1))), at_once=True)
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "font lacks '人何'" in err


RECORDS = [
    {"random_state": seed, "start": 0, "epoch": epoch, "loss": seed + 9 / epoch, "share": None}
    for seed in range(9)
    for epoch in (1, 2, 3)
]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_same_records_give_the_same_file(tmp_path, ending):
    panels = [
        Panel("loss", {"training": itemgetter("loss")}),
        Panel("share", {"training": itemgetter("share")}, is_share=True),
    ]
    contents = []
    for name in ("a", "b"):
        file = tmp_path / f"{name}.{ending}"
        drawing = TrainingPicture(
            Picture(str(file)), "a title", "settings", panels, RunNames(seeds=True)
        )
        drawing.update(RECORDS)
        drawing.finish(RECORDS, RECORDS[2::3], bars([Bar("a", [0.5, 1], None)], "share", None))
        contents.append(file.read_bytes())
    assert contents[0] == contents[1]
    signature = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert contents[0].startswith(signature)


def test_values_of_several_magnitudes_have_a_logarithmic_axis(tmp_path):
    """The chosen start of many has a name in the legend, as its colour alone says little."""
    records = [
        {"random_state": 0, "start": start, "epoch": epoch, "loss": 3000 / 9**epoch}
        for start in range(8)
        for epoch in (1, 2, 3)
    ]
    panels = [Panel("loss", {"training": itemgetter("loss")})]
    drawing = TrainingPicture(
        Picture(str(tmp_path / "p.svg")), "title", "settings", panels, RunNames(starts=True)
    )
    drawing.finish(records, [records[5]], bars([Bar("a", [0.5], None)], "share", None))
    texts = texts_of(tmp_path / "p.svg")
    assert {"10", "100", "start 1 (chosen)", "start 0", "start 7"} <= set(texts)
    assert not any("$" in text for text in texts)
    points = curve(tmp_path / "p.svg", "training-loss-start-3")[:, 1]
    assert numpy.diff(points)[0] == pytest.approx(numpy.diff(points)[1])


def test_an_infinite_perplexity_is_a_gap(tmp_path):
    losses = [inf, 900.0, 20.0]
    records = [
        {"random_state": 0, "start": 0, "epoch": i + 1, "loss": loss}
        for i, loss in enumerate(losses)
    ]
    panel = Panel("perplexity", {"training": itemgetter("loss")})
    drawing = TrainingPicture(
        Picture(str(tmp_path / "p.svg")), "title", "settings", [panel], RunNames()
    )
    rows = [Perplexities("ours", inf, 3.0, ours=True), Perplexities("x", None, 2.0, ours=False)]
    drawing.finish(records, records[-1:], perplexities(rows))
    assert not drawing.picture.failed
    assert len(curve(tmp_path / "p.svg", "training-perplexity")) == 2
    assert {"inf / 3.0", "2.0"} <= set(texts_of(tmp_path / "p.svg"))


def test_pictures_take_a_tenth_of_the_time(tmp_path, monkeypatch):
    now, drawn = [0.0], []
    monkeypatch.setattr(picture.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Picture, "_content", lambda self, draw: draw())
    file = Picture(str(tmp_path / "p.png"))

    def draw(number):
        now[0] += 2
        drawn.append(number)
        return str(number).encode()

    for number in range(30):
        file.show(partial(draw, number))
        now[0] += 1
    assert drawn == [0, 18]
    file.flush()
    file.flush()
    assert drawn == [0, 18, 29] and Path(file.name).read_bytes() == b"29"
    file.show(partial(draw, 30), at_once=True)
    assert drawn[-1] == 30


def failing(function, suffix, times):
    """Return a function that fails like on a full disk for files with an ending, some times."""

    def write(path, content):
        if str(path).endswith(suffix) and (times := next(left)) > 0:
            raise InputError(f"{path}: cannot be written (No space left on device); {times}")
        function(path, content)

    left = iter(range(times, -(10**6), -1))
    return write


@pytest.mark.parametrize(("times", "code"), [(1, 0), (10**6, 2)], ids=["once", "always"])
def test_a_full_disk_does_not_end_the_training(trained, tmp_path, monkeypatch, capsys, times, code):
    monkeypatch.setattr(picture, "LEAST_PAUSE", 0)
    write = failing(picture.write_atomically, ".svg", times)
    monkeypatch.setattr(picture, "write_atomically", write)
    files = ["--checkpoint", tmp_path / "c", "--plot", tmp_path / "p.svg"]
    assert command("babi", *ONE, *files) == code
    out, err = capsys.readouterr()
    assert "1 single-supporting-fact" in out
    assert err.startswith("--plot: ") and "No space left on device" in err
    assert (tmp_path / "c" / CHECKPOINT).read_bytes() == (trained / "c" / CHECKPOINT).read_bytes()
    assert (tmp_path / "p.svg").exists() == (code == 0)


def test_an_error_of_the_library_does_not_end_the_training(tmp_path, monkeypatch, capsys):
    def fail(*arguments):
        raise ValueError("no such\nfont")

    monkeypatch.setattr(TrainingPicture, "_figure", fail)
    assert command("babi", *ONE, "--plot", tmp_path / "p.svg") == 2
    out, err = capsys.readouterr()
    assert "1 single-supporting-fact" in out
    assert err == f"--plot: {tmp_path / 'p.svg'}: cannot be drawn (ValueError: no such\\nfont)\n"


@pytest.mark.parametrize(("times", "code"), [(4, 0), (10**6, 2)], ids=["once", "always"])
def test_event_files_on_a_full_disk(trained, tmp_path, monkeypatch, capsys, times, code):
    framed, left = event_files._framed, [times]

    def full(content):
        left[0] -= 1
        if 0 <= left[0] < times - 3:  # after a part of the file
            raise OSError(errno.ENOSPC, "No space left on device")
        return framed(content)

    monkeypatch.setattr(event_files, "_framed", full)
    assert command("babi", *ONE, "--tensorboard", tmp_path / "t") == code
    out, err = capsys.readouterr()
    assert "1 single-supporting-fact" in out
    assert err.count("\n") == 1 and "No space left on device" in err
    if code == 0:
        assert scalars_of(tmp_path / "t") == scalars_of(trained / "t/b")


@pytest.mark.parametrize("name", MAIN)
@pytest.mark.parametrize(
    ("package", "flag"), [("matplotlib", "--plot"), ("tensorboardX", "--tensorboard")]
)
def test_a_missing_package_is_reported_before_training(
    tmp_path, monkeypatch, capsys, name, package, flag
):
    monkeypatch.setitem(sys.modules, package, None)
    folder = "--checkpoint-dir" if name == "lm" else "--checkpoint"
    assert command(name, folder, tmp_path / "c", flag, tmp_path / "p.svg") == 2
    out, err = capsys.readouterr()
    assert err == (
        f"train.py: error: {flag} needs {package}, which is not installed; install it: python -m "
        f"pip install {package}\n"
    )
    assert out == "" and list(tmp_path.iterdir()) == []


def test_outputs_that_cannot_be_written_are_refused(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.png").write_text("x")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to("new.png")
    for name in ("runs/mine", "runs/seed-1/task-01"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "events.out.tfevents.1").touch()
    ask_it = ["--ask", "--checkpoint", trained / "c"]
    cases = [
        (["--plot", "a.jpg"], "'a.jpg' does not end in .png, .svg or .pdf"),
        (["--plot", "png"], "'png' does not end in .png"),
        (["--plot", ".png"], "'.png' does not end in"),
        (["--plot", ""], "--plot: the name is empty"),
        (["--plot", "none/a.png"], "--plot: the folder none does not exist; make it first"),
        (["--plot", "folder.png"], "--plot: folder.png is a folder"),
        (["--plot", "old.png"], "or add --resume to a run that continues"),
        (["--plot", "a.png", "--log-file", "./a.png"], "--plot and --log-file both name a.png"),
        (["--plot", "link.png", "--output-file", "new.png"], "both name link.png"),
        (["--plot", "a.png", "--tensorboard", "a.png"], "--plot and --tensorboard both name a.png"),
        (["--plot", "c.png", "--checkpoint", "c.png"], "--plot and --checkpoint both name c.png"),
        (["--plot", "a.png", "--plot", "b.png"], "--plot is given twice"),
        (["--tensorboard", ""], "--tensorboard: the name is empty"),
        (["--tensorboard", "old.png"], "--tensorboard: old.png is not a folder"),
        (["--tensorboard", "old.png/x"], "--tensorboard: old.png/x cannot be made (Not a dir"),
        (
            ["--tensorboard", trained / "t/b"],
            "exists already; give another folder, or add --resume",
        ),
        (["--tensorboard", "c", "--checkpoint", "./c"], "--tensorboard and --checkpoint both name"),
        (["--tensorboard", "runs"], "seed-1/task-01/events.out.tfevents.1 exists already"),
        ([*ask_it, "--plot", "old.png"], "give another name, or delete the file\n"),
        ([*ask_it, "--plot", trained / "c" / CHECKPOINT], "does not end in"),
        ([*ask_it, "--tensorboard", "t"], "--tensorboard has no effect with --ask"),
    ]
    for arguments, message in cases:
        more = [] if "--ask" in arguments else ONE
        assert command("babi", *more, *arguments) == 2, arguments
        out, err = capsys.readouterr()
        assert message in err and err.count("\n") == 1 and out == "", err
    for name, arguments, message in (
        ("lm", ["--generate", "a", "--plot", "a.png"], "--plot has no effect with --generate"),
        ("lm", ["--is-test", "--plot", "a.png"], "--plot has no effect with --is-test"),
        ("lm", ["--plot", "a.png", "--log-file", "a.png"], "--plot and --log-file both name"),
        ("kb", ["--plot", "a.png", "--log-file", "a.png"], "--plot and --log-file both name"),
        ("kb", ["--ask", "--checkpoint", trained / "c", "--tensorboard", "t"], "has no effect"),
    ):
        assert command(name, *arguments) == 2, arguments
        err = capsys.readouterr().err
        assert message in err and err.count("\n") == 1
    names = {"old.png", "folder.png", "link.png", "runs"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert (tmp_path / "old.png").read_text() == "x"


def test_the_flags_are_written_with_the_others(tmp_path):
    flags = ["--param-output-file", tmp_path / "flags", "--plot", tmp_path / "p.png"]
    assert command("babi", *ONE, "--epochs", 1, *flags[:0]) == 2  # given twice
    assert command("babi", *ONE, *flags) == 0
    assert f"plot={tmp_path / 'p.png'}\n" in (tmp_path / "flags").read_text()


def test_commands_import_no_library_of_pictures():
    code = (
        "import sys, kvnet.cli.train_babi, kvnet.cli.train_kb, kvnet.cli.train_lm; "
        "print({name.partition('.')[0] for name in sys.modules} & {'matplotlib', 'tensorboardX', "
        "'google', 'PIL'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_published_accuracies_are_marked(tmp_path):
    """The marks are where the published values are, in the order of the rows."""
    values = [float(value) for value in SINGLE_1K.split()]
    rows = [Bar(TASK_NAMES[i + 1], [0.5], value) for i, value in enumerate(values)]
    panel = Panel("loss", {"training": itemgetter("loss")})
    drawing = TrainingPicture(
        Picture(str(tmp_path / "p.svg")), "title", "settings", [panel], RunNames()
    )
    drawing.finish(RECORDS[:3], RECORDS[:1], bars(rows, "accuracy", "published"))
    root = ElementTree.parse(tmp_path / "p.svg")
    groups = [list(group.iter(f"{SVG}use")) for group in root.iter(f"{SVG}g")]
    (marks,) = [
        marks for marks in groups if len(marks) == 20 and len({m.get("y") for m in marks}) == 20
    ][:1]
    x = [float(mark.get("x")) for mark in marks]
    slope, offset = numpy.polyfit(values, x, 1)
    assert slope > 0 and numpy.allclose(slope * numpy.array(values) + offset, x, atol=0.01)
