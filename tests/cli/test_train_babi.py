"""The command that trains on bAbI, run as a user runs it."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from helpers.commands import run, start, wait_for

from kvnet import KeyValueRecipe, QuestionAnswerer, __version__
from kvnet.cli.train_babi import main
from kvnet.cli.training import CHECKPOINT
from kvnet.data.babi import read_task
from kvnet.data.babi_format import TASK_NAMES, file_name, format_stories
from kvnet.data.simulator import generate
from kvnet.data.task_data import held_out
from kvnet.files.checkpoint import read_arrays
from kvnet.models import KeyValueMemoryNetwork

SMALL = ["--embedding-size", "8", "--feature-size", "8", "--memory-size", "6"]
train_babi = partial(run, main)


@pytest.fixture(autouse=True)
def _program_name(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train_babi.py"])


@pytest.fixture(scope="module")
def stories(tmp_path_factory):
    """A folder with 100 questions of every task."""
    folder = tmp_path_factory.mktemp("stories")
    for task in TASK_NAMES:
        for split in ("train", "test"):
            text = format_stories(generate(task, 100, 1, split))
            (folder / file_name(task, split)).write_text(text)
    return folder


def test_one_task_with_every_output_file(stories, tmp_path, capsys):
    code = train_babi(
        "--task_id", 1, "--data_dir", stories, "--epochs=4", "--evaluation_interval", 2, *SMALL,
        "--output-file", tmp_path / "scores.csv",
        "--param_output_file", tmp_path / "flags.txt",
        "--log-file", tmp_path / "log.jsonl",
    )  # fmt: skip
    assert code == 0
    out, err = capsys.readouterr()
    assert "Testing Accuracy" in out and "Published (1k single, 200 epochs)" in out
    assert "1 single-supporting-fact" in out
    assert "epoch 4/4, loss" in err and "questions/s" in err
    rows = list(csv.reader((tmp_path / "scores.csv").read_text().splitlines()))
    assert rows[0] == ["Task", "Testing Accuracy", "Training Accuracy", "Validation Accuracy"]
    assert [row[0] for row in rows[1:]] == ["1"]
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in log] == [2, 4]
    assert float(rows[1][1]) == log[-1]["testing_accuracy"]
    flags = dict(line.split("=", 1) for line in (tmp_path / "flags.txt").read_text().splitlines())
    assert flags["epochs"] == "4" and flags["learning_rate"] == "0.001"
    assert flags["task_id"] == "1" and flags["reader"] == "bow"


def test_a_joint_model_for_two_seeds(stories, tmp_path, capsys):
    code = train_babi(
        "--joint", "--data-dir", stories, "--seeds", "3,4", "--epochs", 1, *SMALL, "--quiet",
        "--output-file", tmp_path / "scores.csv",
    )  # fmt: skip
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert "20 agents-motivations" in out and "mean" in out and "±" in out
    assert "seed 3: mean testing accuracy" in out and "over 2 seeds" in out
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 21


def test_task_all_trains_a_model_per_task(stories, tmp_path, capsys):
    flags = ["--task-id", "all", "--data-dir", stories, "--epochs", 1, *SMALL, "--quiet"]
    assert train_babi(*flags, "--checkpoint", tmp_path) == 0
    assert len(list(tmp_path.glob("task-*/checkpoint.safetensors"))) == 20
    model = KeyValueMemoryNetwork.load(tmp_path / "task-04/checkpoint.safetensors")
    assert model.config.memory_size == 2


def test_the_start_with_the_best_validation_accuracy_is_reported(stories, tmp_path, capsys):
    assert train_babi(
        "--task-id", 6, "--data-dir", stories, "--restarts", 3, "--epochs", 4, *SMALL,
        "--log-file", tmp_path / "log",
    ) == 0  # fmt: skip
    out, err = capsys.readouterr()
    log = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [record["start"] for record in log] == [0, 1, 2]
    best = max(log, key=lambda record: record["validation_accuracy"])
    assert f"start {best['start']}: validation accuracy" in err.split("  <- chosen")[0]
    assert f"{best['testing_accuracy']:.3f}" in out


def test_early_stopping_reports_the_best_evaluation(stories, tmp_path, capsys):
    assert train_babi(
        "--task-id", 6, "--data-dir", stories, "--early-stopping", 2, "--epochs", 60, *SMALL,
        "--evaluation-interval", 1, "--log-file", tmp_path / "log", "--output-file",
        tmp_path / "scores", "--learning-rate", "0.02",
    ) == 0  # fmt: skip
    log = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    validation = [record["validation_accuracy"] for record in log]
    best = validation.index(max(validation))
    assert len(log) == best + 3 < 60
    scores = (tmp_path / "scores").read_text().splitlines()[1].split(",")
    assert float(scores[1]) == log[best]["testing_accuracy"]


def test_fit_gives_the_same_bits_as_the_command(stories, tmp_path):
    flags = ["--task-id", 1, "--data-dir", stories, "--epochs", 3, *SMALL, "--quiet"]
    flags += ["--batch-size", 16, "--random-state", 4, "--checkpoint", tmp_path]
    assert train_babi(*flags) == 0
    kept, _ = held_out(read_task(stories, 1).train, 10, 4, "validation of task 1")
    _, metadata = read_arrays(tmp_path / CHECKPOINT)
    with pytest.warns(UserWarning) as caught:
        answerer = QuestionAnswerer(KeyValueRecipe(**metadata["recipe"]), random_state=4).fit(kept)
    cut, unused = (str(warning.message) for warning in caught)
    assert "of 90 questions have a memory of more than 6 slots, up to 10; memory_size=6" in cut
    assert "the last 10 of 90 training questions fill no batch" in unused
    loaded = QuestionAnswerer.load(tmp_path / CHECKPOINT)
    assert loaded.vocabulary.words == answerer.vocabulary.words
    assert loaded.model.config == answerer.model.config
    assert (loaded.model.theta == answerer.model.theta).all()


@pytest.mark.parametrize(
    "extra", [[], ["--reader", "simple_gru", "--keep-prob", "0.8"]], ids=["bow", "simple_gru"]
)
def test_a_killed_run_resumes_to_the_same_bits(stories, tmp_path, extra):
    flags = ["--task-id", 2, "--data-dir", stories, "--epochs", 40, *SMALL, "--quiet", *extra]
    flags += ["--evaluation-interval", 10, "--batch-size", 8, "--early-stopping", 9]
    whole, killed = (tmp_path / name / CHECKPOINT for name in ("whole", "killed"))
    assert train_babi(*flags, "--checkpoint", whole.parent) == 0
    process = start("train_babi.py", *flags, "--checkpoint", killed.parent)
    wait_for(killed, process)
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert killed.read_bytes() != whole.read_bytes()
    assert train_babi(*flags, "--checkpoint", killed.parent, "--resume", "--threads", 3) == 0
    assert killed.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str)
def test_a_signal_saves_the_state_and_prints_how_to_continue(stories, tmp_path, number, code):
    flags = ["--task-id", 1, "--data-dir", stories, "--epochs", 100_000, "--batch-size", 8]
    flags += ["--checkpoint", tmp_path, "--quiet"]
    file, piped = tmp_path / CHECKPOINT, {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start("train_babi.py", *flags, **piped)
    wait_for(file, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert out == ""
    assert err.startswith("stopped after epoch ") and err.endswith("--quiet --resume\n")
    assert err.count("\n") == 1
    assert KeyValueMemoryNetwork.load(file).config.memory_size > 1


def test_a_checkpoint_of_early_stopping_is_loaded_with_the_best_weights(stories, tmp_path):
    flags = ["--task-id", 6, "--data-dir", stories, "--early-stopping", 2, "--epochs", 60, *SMALL]
    flags += ["--evaluation-interval", 1, "--learning-rate", "0.02", "--quiet"]
    assert train_babi(*flags, "--checkpoint", tmp_path) == 0
    arrays, _ = read_arrays(tmp_path / CHECKPOINT)
    model = KeyValueMemoryNetwork.load(tmp_path / CHECKPOINT)
    assert (model.params["A"] == arrays["best/A"]).all()
    assert (model.params["A"] != arrays["params/A"]).any()


def test_resume_refuses_fewer_epochs_than_are_done(stories, tmp_path, capsys):
    flags = ["--task-id", 1, "--data-dir", stories, *SMALL, "--quiet", "--checkpoint", tmp_path]
    assert train_babi(*flags, "--epochs", 3) == 0
    assert train_babi(*flags, "--epochs", 2, "--resume") == 2
    assert "has done 3 epochs, more than --epochs 2" in capsys.readouterr().err


def test_resume_of_a_finished_run_prints_its_results(stories, tmp_path, capsys):
    flags = ["--task-id", 1, "--data-dir", stories, "--epochs", 2, *SMALL, "--quiet"]
    assert train_babi(*flags, "--checkpoint", tmp_path) == 0
    first = capsys.readouterr().out
    log = tmp_path / "log.jsonl"
    assert train_babi(*flags, "--checkpoint", tmp_path, "--resume", "--log-file", log) == 0
    assert capsys.readouterr().out == first
    assert [json.loads(line)["epoch"] for line in log.read_text().splitlines()] == [2]


@pytest.fixture(scope="module")
def trained(stories, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    flags = ["--task-id", 1, "--data-dir", stories, "--epochs", 2, *SMALL, "--quiet"]
    assert train_babi(*flags, "--checkpoint", folder) == 0
    return folder


def ask(folder, text):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = start("train_babi.py", "--ask", "--quiet", "--checkpoint", folder, **pipes)
    out, err = process.communicate(text)
    return process.returncode, out, err


def test_ask_answers_with_probability_and_attention(trained):
    story = "Mary moved to the office.\nJohn went to the kitchen.\nWhere is Mary?\n"
    code, out, err = ask(trained, story)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "(probability 0." in lines[0]
    assert lines[1] == "hop 1 hop 2 hop 3"
    assert lines[2].endswith("1 Mary moved to the office.")
    weights = [[float(w) for w in line.split()[:3]] for line in lines[2:5]]
    assert lines[4].endswith("(empty slots)")
    assert all(sum(hop) == pytest.approx(1, abs=0.02) for hop in zip(*weights, strict=True))


def test_ask_reports_unknown_words_and_continues(trained):
    story = "Mary ate the zebra.\nMary moved to the office.\nWhere is Mary?\n"
    code, out, err = ask(trained, story)
    assert code == 2
    assert "'ate', 'zebra' are not among the" in err
    assert "1 Mary moved to the office." in out
    _, _, err = ask(trained, "Where is Mary?\n")
    assert err.startswith("line 1: 'where is mary': asked of an empty")


def test_invalid_flags_exit_with_2_and_one_line(stories, tmp_path, trained, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/checkpoint.safetensors").write_bytes(b"\x80\x04pickle")
    data = ["--data-dir", stories, "--quiet"]
    cases = [
        (
            ["--task-id", 0],
            "'0' is out of range; it takes a whole number from 1 to 20, or all; --joint",
        ),
        (["--task-id", 21], "'21' is out of range"),
        (["--hops", 0, *data], "--hops 0 is out of range; it takes a whole number from 1"),
        (["--learning-rate", "-1", *data], "--learning-rate -1.0 is out of range"),
        (["--hops", "x"], "argument --hops: 'x' is not a whole number; give a whole number from 1"),
        (["--task", 3], "--task is not a flag of this command; did you mean --task-id?"),
        (["--learning-rate", "1e29", *data], "the training diverged; set --learning-rate below"),
        (["--embedding-size", 10**13, *data], "--embedding-size 10000000000000 is out of range"),
        (["--embedding-size", 10**9, *data], "out of memory: a KeyValueMemoryNetwork of"),
        (["--output-file", "/dev/null", *data], "--output-file: /dev/null is not a regular file"),
        (["--epoch", 3], "--epoch is not a flag of this command; did you mean --epochs?"),
        (["--joint", "--task-id", 3], "not allowed with argument"),
        (["--joint", "--task-id", 1], "not allowed with argument"),
        (["--seeds", "0,1", "--random-state", 0], "not allowed with argument"),
        (["--seeds", "0,0"], "'0,0' names a seed twice"),
        (["--reader", "lstm", *data], "--reader lstm is out of range; it takes bow or simple_gru"),
        (
            ["--keep-prob", "0.5", *data],
            "--keep-prob 0.5 has no effect with --reader bow; use --reader simple_gru",
        ),
        (["--data-dir", tmp_path / "none"], "none is not a folder"),
        (["--data-dir", tmp_path / "a\nb"], "a\\nb is not a folder"),
        (["--resume", "--a\nb"], "--a\\nb is not a flag of this command"),
        (["--task-id", "1\n2" * 1000], "out of range"),
        (["--data-dir", tmp_path / "empty"], "holds no qa*_train.txt files"),
        (["--train-size", "10k", *data], "is for the built-in simulator, not for"),
        (
            ["--batch-size", 90, *data],
            "--batch-size 90 cannot be filled from 90 training questions; use --batch-size 89 or",
        ),
        (["--resume", *data], "--resume needs --checkpoint DIR"),
        (["--resume", "--checkpoint", tmp_path / "empty", *data], f"has no {CHECKPOINT}"),
        (
            ["--resume", "--checkpoint", trained, "--restarts", 2, *data],
            f"has no start-0/{CHECKPOINT}; it has {CHECKPOINT}; repeat the",
        ),
        (["--checkpoint", trained, *data], "exists already; add --resume"),
        (
            ["--checkpoint", trained, "--resume", "--batch-size", 16, "--epochs", 2, *SMALL, *data],
            "was trained with --batch-size 32, not 16",
        ),
        (
            ["--checkpoint", trained, "--resume", "--model", "memn2n", *data],
            f"{CHECKPOINT}: is a file of KeyValueMemoryNetwork, not of MemN2N; give another folder",
        ),
        (
            ["--checkpoint", tmp_path / "bad", "--resume", *data],
            "is truncated or not a safetensors",
        ),
        (["--ask"], "--ask needs --checkpoint DIR"),
        (["--ask", "--checkpoint", tmp_path / "empty"], "train first"),
        (["--output-file", tmp_path, *data], "is a folder; give a file name"),
        (["--log-file", tmp_path / "none/log", *data], "none does not exist; make it first"),
    ]
    for arguments, message in cases:
        assert train_babi(*arguments) == 2, arguments
        out, err = capsys.readouterr()
        assert message in err, arguments
        assert out == "" and err.count("\n") == 1 and err.startswith("train_babi.py: error: ")


def test_flags_without_effect_are_refused(stories, trained, tmp_path, capsys):
    data, ask_it = ["--data-dir", stories, "--quiet"], ["--ask", "--checkpoint", trained]
    cases = [
        ([*ask_it, "--resume"], "--resume has no effect with --ask; drop one of the two"),
        ([*ask_it, "--hops", 3], "--hops has no effect with --ask"),
        ([*ask_it, "--task_id=3"], "--task-id has no effect with --ask"),
        ([*ask_it, "--output-file", tmp_path / "a"], "--output-file has no effect with --ask"),
        ([*data, "--train-size", "1k"], "--train-size is for the built-in simulator, not for"),
        ([*data, "--choose-by", "training"], "--choose-by has no effect without --restarts"),
        (
            [*data, "--kernels", "reference", "--threads", 2],
            "--threads has no effect with --kernels reference",
        ),
        ([*data, "--epochs", 3, "--epochs=5"], "--epochs is given twice; give it once"),
    ]
    for arguments, message in cases:
        assert train_babi(*arguments) == 2, arguments
        out, err = capsys.readouterr()
        assert message in err and err.count("\n") == 1 and out == ""


def test_paths_that_lose_files_are_refused(stories, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").write_text("{}\n")
    (tmp_path / "link").symlink_to(tmp_path / "new")
    data = ["--data-dir", stories, "--epochs", 1, *SMALL, "--quiet"]
    empty = "the name is empty; give one, or leave the flag out"
    cases = [
        (["--data-dir", ""], f"--data-dir: {empty}"),
        (["--checkpoint", " ", *data], f"--checkpoint: {empty}"),
        (["--log-file=", *data], f"--log-file: {empty}"),
        (["--log-file", "a" * 5000, *data], "File name too long"),
        (["--log-file", "old", *data], "--log-file: old exists already; give another name"),
        (["--output-file", "old", *data], "--output-file: old exists already; give another"),
        (["--param-output-file", "old", *data], "--param-output-file: old exists already"),
        (
            ["--log-file", "new", "--output-file", "./new", *data],
            "--log-file and --output-file both name new; give another name to one",
        ),
        (
            ["--log-file", "link", "--output-file", "new", *data],
            "--log-file and --output-file both name link",
        ),
        (
            ["--checkpoint", "c", "--log-file", f"c/../c/{CHECKPOINT}", *data],
            "--log-file and --checkpoint both name",
        ),
        (
            ["--checkpoint", "c", "--log-file", "c", *data],
            "--log-file and --checkpoint both name c",
        ),
    ]
    for arguments, message in cases:
        assert train_babi(*arguments) == 2, arguments
        out, err = capsys.readouterr()
        assert message in err and err.count("\n") == 1 and out == "" and len(err) < 400, err
    assert (tmp_path / "old").read_text() == "{}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "old"]
    (tmp_path / "empty").touch()  # as mktemp makes
    assert train_babi("--log-file", "empty", *data) == 0
    assert (tmp_path / "empty").stat().st_size


def test_requests_beyond_memory_are_refused_at_once(stories, capsys):
    many, data = 10**12, ["--data-dir", stories, "--quiet"]
    memn2n = ["--model", "memn2n", *data]
    cases = [
        (["--questions-per-task", many], f"{many:,} questions needs at least 700 TB"),
        (["--restarts", 10**9, *data], "it takes a whole number from 1 to 10000"),
        (
            ["--restarts", 10**4, "--embedding-size", 10**5, *data],
            "--restarts 10000 needs at least",
        ),
        (
            ["--batch-size", 10**9, *memn2n],
            "out of memory: a step with --batch-size 1000000000 needs",
        ),
        (["--batch-size", many, *memn2n], f"--batch-size {many} is out of range; it takes"),
        (
            ["--hops", 10**6, *memn2n],
            "--hops 1000000 is out of range; it takes a whole number from",
        ),
        (
            ["--embedding-size", 10**20, *data],
            "-size 100000000000000000000 is out of range",
        ),
        (["--embedding-size", "9" * 5000, *data], "999' (5,000 characters) is"),
        (["--epochs", 10**30, *data], "is out of range; it takes a whole number from 1"),
        (
            ["--l2-lambda", "1e300", *data],
            "the training diverged; set --l2-lambda 1e+300 nearer to 0.1",
        ),
        (
            ["--epsilon", "1e-300", *data],
            "the training diverged; set --epsilon 1e-300 nearer to 0.1",
        ),
    ]
    for arguments, message in cases:
        began = time.monotonic()
        assert train_babi(*arguments) == 2, arguments
        out, err = capsys.readouterr()
        assert message in err and out == "" and len(err) < 500, err
        assert err.splitlines()[-1].startswith("train_babi.py: error: ")
        assert time.monotonic() - began < 20


def test_what_is_cut_or_left_out_is_said(stories, capsys):
    flags = ["--task-id", 1, "--data-dir", stories, "--epochs", 1, *SMALL]
    assert train_babi(*flags, "--threads", 1000) == 0
    err = capsys.readouterr().err
    assert "task 1: 80 of 200 questions have a memory of more than 6 slots, up to 10; " in err
    assert "--memory-size 6 keeps the most recent slots of each" in err
    assert "the last 26 of 90 training questions fill no batch and are not trained on" in err
    assert "--threads 1000: this machine runs " in err


@pytest.mark.parametrize("model", ["kv", "memn2n"])
@pytest.mark.parametrize(("count", "code"), [(1, 2), (2, 0), (3, 0)])
def test_files_of_few_questions(tmp_path, capsys, model, count, code):
    for split, questions in (("train", count), ("test", 1)):
        (tmp_path / file_name(1, split)).write_text(
            format_stories(generate(1, questions, 1, split))
        )
    flags = ["--data-dir", tmp_path, "--quiet", "--epochs", 2, "--batch-size", 1, "--model", model]
    flags += ["--shuffle-questions"] if model == "kv" else []
    assert train_babi(*flags) == code
    out, err = capsys.readouterr()
    if code:
        assert "has one question, but one is held out for validation; add questions" in err
        assert err.count("\n") == 1
    else:
        assert "1 single-supporting-fact" in out and err == ""


def test_the_advice_for_few_questions_can_be_followed(tmp_path, capsys):
    for split in ("train", "test"):
        (tmp_path / file_name(1, split)).write_text(format_stories(generate(1, 2, 1, split)))
    flags = ["--data-dir", tmp_path, "--quiet", "--epochs", 1]
    assert train_babi(*flags) == 2
    assert (
        "--batch-size 32 cannot be filled from 1 training question; give more questions, or "
        "--shuffle-questions, which does not drop the last batch when full, with --batch-size 1\n"
    ) in capsys.readouterr().err
    assert train_babi(*flags, "--shuffle-questions") == 2
    assert "use --batch-size 1\n" in capsys.readouterr().err
    assert train_babi(*flags, "--shuffle-questions", "--batch-size", 1) == 0


def test_answers_are_spelled_as_in_the_files(tmp_path, capsys, monkeypatch):
    story = (
        "1 Mary met Bill.\n2 Who met Bill?\tMary\t1\n1 Fred met Bill.\n2 Who met Bill?\tFred\t1\n"
    )
    for split in ("train", "test"):
        (tmp_path / file_name(1, split)).write_text(story * 20)
    flags = ["--data-dir", tmp_path, "--quiet", "--epochs", 60, "--learning-rate", "0.01"]
    assert train_babi(*flags, "--checkpoint", tmp_path / "c") == 0
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO("Mary met Bill.\nWho met Bill?\n"))
    assert train_babi("--ask", "--checkpoint", tmp_path / "c") == 0
    assert capsys.readouterr().out.startswith("Mary  (probability")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_ask_at_a_terminal_says_what_was_understood(trained, capsys, monkeypatch):
    lines = [
        "Mary moved to the office.",
        "where is Mary",
        "Where is Mary?",
        "",
        "",
        "help",
        "quit",
        "x",
    ]
    monkeypatch.setattr("sys.stdin", Terminal("\n".join(lines)))
    assert train_babi("--ask", "--checkpoint", trained) == 0
    out, err = capsys.readouterr()
    shown = out.replace("> ", "").splitlines()
    assert shown[0].startswith("Type a story") and shown[0] == shown[-1]
    assert shown[1] == "(sentence 1)" and "(probability 0." in shown[2]
    assert shown.count("(new story; 1 sentence forgotten)") == 1
    assert "'where is Mary' begins like a question; end it with ?" in err and err.count("\n") == 1


def test_ask_names_bytes_that_are_not_utf_8_and_slots_that_are_not_read(trained):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = start("train_babi.py", "--ask", "--checkpoint", trained, **pipes)
    story = "Mary moved to the office.\n" * 8 + "caf\udce9\nWhere is Mary?\n"
    process.stdin.buffer.write(story.encode("utf-8", "surrogateescape"))
    out, err = process.communicate()
    assert process.returncode == 2
    assert err.startswith("line 9: byte 0xe9 is not UTF-8; set the terminal, or save the file")
    assert "(the memory has 6 slots: 2 sentences above these not read)" in out


def test_resume_refuses_other_data(stories, trained, tmp_path, capsys):
    other = tmp_path / "data"
    other.mkdir()
    for split in ("train", "test"):
        (other / file_name(1, split)).write_text(format_stories(generate(1, 100, 2, split)))
    flags = ["--task-id", 1, "--epochs", 2, *SMALL, "--quiet", "--resume", "--checkpoint", trained]
    before = (trained / CHECKPOINT).read_bytes()
    assert train_babi(*flags, "--data-dir", other) == 2
    assert "was trained on other data or tasks" in capsys.readouterr().err
    assert (trained / CHECKPOINT).read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="a file size limit needs POSIX")
def test_full_disk_error_is_one_line_and_leaves_no_file(stories, tmp_path):
    # A limit on the size of a file fails a write the way a full disk does.
    program = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from kvnet.cli.train_babi import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    flags = ["--data-dir", stories, "--quiet", "--checkpoint", tmp_path / "c", "--epochs", "2"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, flags)],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 2
    assert "checkpoint.safetensors: cannot be written" in done.stderr
    assert "free space" in done.stderr and done.stderr.count("\n") == 1
    assert [path.name for path in (tmp_path / "c").iterdir()] == [".lock"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_results_are_kept_if_standard_output_cannot_be_written(stories, tmp_path):
    scores = tmp_path / "scores.csv"
    flags = ["--task-id", "1", "--data-dir", stories, "--epochs", "1", "--quiet", *SMALL]
    flags += ["--output-file", scores]
    with open("/dev/full", "w") as full:
        process = start("train_babi.py", *flags, stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate()
    assert process.returncode == 2
    assert "error: standard output cannot be written" in err
    assert err.count("\n") == 1
    assert len(scores.read_text().splitlines()) == 2


def test_version_and_simulated_data(capsys, monkeypatch):
    assert train_babi("--version") == 0
    assert capsys.readouterr().out == f"kvnet {__version__}\n"
    monkeypatch.delenv("KVNET_DATA", raising=False)
    assert train_babi("--task-id", 20, "--epochs", 1, "--questions-per-task", 50, *SMALL) == 0
    out, err = capsys.readouterr()
    assert "training on 50 questions per task made by the built-in simulator" in err
    assert "20 agents-motivations" in out


@pytest.mark.parametrize(("hops", "accuracy"), [(3, 0.97), (1, 0.99)])
def test_released_task_1_is_learned(released, capsys, hops, accuracy):
    flags = ["--task-id", 1, "--random-state", 0, "--hops", hops]
    assert train_babi(*flags, "--data-dir", released, "--quiet") == 0
    row = capsys.readouterr().out.splitlines()[1].split()
    assert float(row[2]) >= accuracy
