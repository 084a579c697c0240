"""The command that trains on a knowledge base, run as a user runs it."""

import csv
import io
import json
import re
import signal
import sys
from functools import partial

import pytest
from helpers.commands import run, start, wait_for

from kvnet import FactAnswerer
from kvnet.cli.train_kb import main
from kvnet.cli.training import CHECKPOINT

train_kb = partial(run, main)
QUICK = ["--epochs", 2, "--quiet"]
TEMPLATES = (
    "directed_by\twho directed []\n"
    "directed_by\twho is the director of []\n"
    "^directed_by\twhich films did [] direct\n"
    "born_in/^born_in\twho else was born where [] was\n"
    "directed_by/born_in\twhere was the director of [] born\n"
)


@pytest.fixture(autouse=True)
def _program_name(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train_kb.py"])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a base of one's own and its templates."""
    folder = tmp_path_factory.mktemp("base")
    facts = [f"Film {n}\tdirected_by\tAnn {n % 13}\n" for n in range(60)]
    facts += [f"Ann {n}\tborn_in\tTown {n % 4}\n" for n in range(13)]
    (folder / "kb.tsv").write_text("subject\trelation\tobject\n" + "".join(facts))
    (folder / "templates.txt").write_text(TEMPLATES)
    return folder


@pytest.fixture(scope="module")
def own(files):
    return ["--kb", files / "kb.tsv", "--templates", files / "templates.txt"]


@pytest.fixture(scope="module")
def trained(own, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    assert train_kb(*own, "--checkpoint", folder, "--quiet", "--output-file", folder / "csv") == 0
    return folder


def ask(monkeypatch, capsys, *lines, flags):
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    code = train_kb("--ask", *flags)
    return code, *capsys.readouterr()


def rows_of(path):
    return {row["Type"]: row for row in csv.DictReader(path.read_text().splitlines())}


def test_a_base_and_templates_are_enough(trained, own, capsys):
    rows = rows_of(trained / "csv")
    assert set(rows) == {
        "directed_by",
        "^directed_by",
        "born_in/^born_in",
        "directed_by/born_in",
        "1 hop",
        "2 hops",
        "all",
    }
    assert float(rows["all"]["Testing hits@1"]) == float(rows["all"]["Testing F1"]) == 1
    assert int(rows["directed_by"]["Testing questions"]) == 12  # 6 films, in two sentences
    assert train_kb(*own, "--epochs", 2) == 0
    out, err = capsys.readouterr()
    assert "line 1: is read as a header line" in err
    assert "73 facts with 77 entities and 2 relations; questions: " in err
    table = [line.split() for line in out.splitlines()]
    assert table[0][0] == "Type" and table[-1][0] == "all" and len(table) == len(rows) + 1


def test_answers_are_explained_hop_by_hop(trained, monkeypatch, capsys):
    code, out, err = ask(
        monkeypatch,
        capsys,
        "who directed Film 7?",
        "where was the director of Film 20 born",
        "who really directed film Film 7",
        "",
        flags=["--checkpoint", trained],
    )
    assert code == 0 and err == ""
    answers = out.split("\n")
    assert re.match(r"Ann 7  \(probability (1.0|0.9)", answers[0])
    assert answers[1:3] == ["hop 1", answers[2]]
    assert re.match(r"  Film 7 \| directed_by \| Ann 7 (1.00|0.9\d)$", answers[2])
    assert re.search(r"\nTown 3  \(probability (1.0|0.9)", out)
    assert re.search(r"hop 2\n  Ann 7 \| born_in \| Town 3 (1.00|0.9\d)\n", out)
    assert "(read without 'really', 'film', which no training question has)\nAnn 7" in out


def test_questions_that_cannot_be_answered(trained, monkeypatch, capsys):
    code, out, err = ask(
        monkeypatch,
        capsys,
        "who directed Flim 7",
        "who directed [nothing]",
        "what [Film 7]",
        "who directed [Town 1]",
        flags=["--checkpoint", trained],
    )
    assert code == 2
    first, second, third = err.splitlines()
    assert (
        first.startswith("line 1: 'Flim' in 'who directed Flim 7' names no entity")
        or "'Flim 7'" in first
    )
    assert "did you mean 'Film" in first
    assert second.startswith("line 2: 'nothing' is not an entity of the base; ")
    assert third.startswith("line 3: 'what [Film 7]' has no word of the training questions")
    assert out.startswith("not in the memory: no fact on the way from Town 1 answers this")


def test_other_facts_give_other_answers(trained, files, tmp_path, monkeypatch, capsys):
    changed = (
        (files / "kb.tsv")
        .read_text()
        .replace("Film 7\tdirected_by\tAnn 7", "New\tdirected_by\tZoe")
    )
    (tmp_path / "kb.tsv").write_text(changed + "Film 8\tliked_by\tZoe\n")
    flags = ["--checkpoint", trained, "--kb", tmp_path / "kb.tsv", "--quiet"]
    questions = ["who directed New", "who directed Film 7", "who directed Film 8"]
    code, out, err = ask(monkeypatch, capsys, *questions, flags=flags)
    assert code == 2
    assert "'Film 7' in 'who directed Film 7' names no entity" in err
    answers = [line for line in out.splitlines() if "probability" in line]
    assert [answer.split("  ")[0] for answer in answers] == ["Zoe", "Ann 8"]


def test_without_a_base_it_trains_on_an_invented_world(capsys):
    assert train_kb("--epochs", 1, "--hops", "1,3") == 0
    out, err = capsys.readouterr()
    assert "No --kb: training on an invented world of films and people, 9,996 facts" in err
    assert "1 hop" in out and "3 hops" in out and "2 hops" not in out


def test_seeds_restarts_and_the_log(own, tmp_path, capsys):
    log, params = tmp_path / "log", tmp_path / "params"
    flags = [*own, "--epochs", 3, "--seeds", "0,1", "--restarts", 2, "--checkpoint", tmp_path]
    assert train_kb(*flags, "--log-file", log, "--param-output-file", params) == 0
    out, err = capsys.readouterr()
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(r["random_state"], r["start"], r["epoch"]) for r in records] == [
        (seed, start, epoch) for seed in (0, 1) for start in (0, 1) for epoch in (1, 2, 3)
    ]
    assert "validation_hits1" in records[0] and "all" in records[0]["testing_by_hops"]
    assert " ± " in out and err.count("<- chosen") == 2
    for run_of in ("seed-0/start-0", "seed-0/start-1", "seed-1/start-0", "seed-1/start-1"):
        assert (tmp_path / run_of / CHECKPOINT).exists()
    lines = params.read_text().splitlines()
    assert "preset=kv-chain" in lines and "seeds=0,1" in lines and "epochs=3" in lines


def test_a_killed_run_resumes_to_the_same_bits(own, tmp_path):
    flags = [*own, "--epochs", 80, "--evaluation-interval", 40, "--quiet"]
    whole, killed = (tmp_path / name / CHECKPOINT for name in ("whole", "killed"))
    assert train_kb(*flags, "--checkpoint", whole.parent, "--threads", 1) == 0
    process = start("train_kb.py", *flags, "--checkpoint", killed.parent)
    wait_for(killed, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert killed.read_bytes() != whole.read_bytes()
    assert train_kb(*flags, "--checkpoint", killed.parent, "--resume", "--threads", 2) == 0
    assert killed.read_bytes() == whole.read_bytes()


def test_another_base_is_not_resumed(own, files, tmp_path, capsys):
    assert train_kb(*own, *QUICK, "--checkpoint", tmp_path) == 0
    other = tmp_path / "other.tsv"
    other.write_text((files / "kb.tsv").read_text() + "Film 99\tdirected_by\tAnn 1\n")
    flags = ["--kb", other, *own[2:], *QUICK, "--checkpoint", tmp_path, "--resume"]
    assert train_kb(*flags) == 2
    assert "was trained on other data or tasks" in capsys.readouterr().err


def test_fit_gives_the_same_bits_as_the_command(files, tmp_path):
    questions = tmp_path / "train.txt"
    pairs = [(f"who directed [Film {n}]", f"Ann {n % 13}") for n in range(60)]
    questions.write_text("".join(f"{question}\t{answer}\n" for question, answer in pairs))
    flags = ["--kb", files / "kb.tsv", "--questions", questions, *QUICK, "--random-state", 3]
    (tmp_path / "dev.txt").write_text("who directed [Film 3]\tAnn 3\n")
    assert train_kb(*flags, tmp_path / "dev.txt", "--checkpoint", tmp_path / "c") == 2
    flags[3:4] = [questions, tmp_path / "dev.txt"]
    assert train_kb(*flags, "--checkpoint", tmp_path / "c") == 0
    loaded = FactAnswerer.load(tmp_path / "c" / CHECKPOINT)
    with pytest.warns(UserWarning, match="header line"):
        base = type(loaded.base).read(files / "kb.tsv")
    answerer = FactAnswerer(loaded.recipe, random_state=3).fit(base, pairs)
    assert (loaded.model.theta == answerer.model.theta).all()
    assert list(loaded.base) == list(base)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--questions", "x"], "--questions needs --kb FILE"),
        (["--templates", "x"], "--templates needs --kb FILE"),
        (["--fold-case"], "--fold-case needs --kb FILE"),
        (["--kb", "x"], "--kb needs questions to train on: give --questions PATH, or --templates"),
        (["--kb", "x", "--templates", "y"], "x: cannot be read .*check the path"),
        (["--kb", "x", "--templates", "y", "--hops", "1"], "--hops names MetaQA's questions and"),
        (["--kb", "x", "--questions", "y", "--made-questions", "50"], "needs --templates FILE"),
        (["--hops", "4"], "'4' is out of range; it takes 1, 2 or 3"),
        (["--hops", "1,1"], "'1,1' is out of range"),
        (["--ask"], "--ask needs --checkpoint DIR"),
        (["--resume"], "--resume needs --checkpoint DIR"),
        (["--max-hops", "0"], "error: --max-hops 0 is out of range"),
        (["--output-file", "none/x"], "--output-file: the folder none does not exist"),
        (["--preset", "kv-joint"], "invalid choice: 'kv-joint'"),
        (["--template", "x"], "is not a flag of this command; did you mean --templates"),
    ],
)
def test_flags_that_cannot_be_used(flags, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train_kb(*flags) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and err.startswith("train_kb.py: error: ")
    assert re.search(message, err)


def test_hops_need_metaqa_files(files, tmp_path, capsys):
    (tmp_path / "train.txt").write_text("who directed [Film 1]\tAnn 1\n")
    flags = ["--kb", files / "kb.tsv", "--questions", tmp_path / "train.txt", "--hops", 2]
    assert train_kb(*flags) == 2
    assert "--hops names MetaQA's questions, such as 1-hop/qa_train.txt" in capsys.readouterr().err


def test_one_fact_is_enough(tmp_path, monkeypatch, capsys):
    (tmp_path / "kb.txt").write_text("Kismet|directed_by|William Dieterle\n")
    (tmp_path / "templates.txt").write_text("directed_by\twho directed []\n")
    flags = ["--kb", tmp_path / "kb.txt", "--templates", tmp_path / "templates.txt", "--quiet"]
    assert train_kb(*flags, "--epochs", 100, "--checkpoint", tmp_path / "c") == 0
    capsys.readouterr()
    flags = ["--checkpoint", tmp_path / "c"]
    assert ask(monkeypatch, capsys, "who directed kismet", flags=flags)[0] == 2
    out = ask(monkeypatch, capsys, "who directed Kismet", flags=flags)[1]
    assert out.startswith("William Dieterle  (probability ")


def test_the_published_model_cuts_its_memory_with_a_count(own, tmp_path, monkeypatch, capsys):
    flags = [*own, "--preset", "kv-published", "--epochs", 1, "--memory-size", 5]
    assert train_kb(*flags, "--checkpoint", tmp_path) == 0
    err = capsys.readouterr().err
    assert re.search(r"training: \d+ of \d+ memories are cut at --memory-size 5, by \d+ facts", err)
    flags = ["--checkpoint", tmp_path]
    out = ask(monkeypatch, capsys, "which films did [Ann 1] direct", flags=flags)[1]
    assert re.match(r"\(\d+ facts around Ann 1 are left out of the memory\)\n", out)


def test_hops_that_do_not_reach_the_answers_are_said(own, capsys):
    assert train_kb(*own, "--epochs", 1, "--max-hops", 1) == 0
    assert "up to 2 facts away, but the model follows 1: --max-hops 2" in capsys.readouterr().err
    flags = ["--preset", "kv-published", "--epochs", 1, "--memory-steps", 1]
    assert train_kb(*own, *flags) == 0
    assert "within 1: --memory-steps 2 would have them all" in capsys.readouterr().err


def test_a_checkpoint_of_another_command_is_refused(tmp_path, capsys):
    (tmp_path / CHECKPOINT).write_bytes(b"x" * 100)
    assert train_kb("--ask", "--checkpoint", tmp_path) == 2
    assert "is truncated or not a safetensors file" in capsys.readouterr().err


def test_metaqa_learns_one_hop(metaqa, capsys, tmp_path):
    """One question in twenty is enough for the default model to reach the published figure."""
    lines = (metaqa / "1-hop/qa_train.txt").read_text(encoding="utf-8").split("\n")
    (tmp_path / "qa_train.txt").write_text("\n".join(lines[::20]), encoding="utf-8")
    flags = ["--kb", metaqa / "kb.txt", "--questions", tmp_path, metaqa / "1-hop/qa_test.txt"]
    flags += ["--epochs", 6, "--evaluation-interval", 6, "--output-file", tmp_path / "csv"]
    assert train_kb(*flags, "--quiet") == 0
    assert float(rows_of(tmp_path / "csv")["all"]["Testing hits@1"]) > 0.962
