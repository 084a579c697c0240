"""The command that writes generated bAbI files."""

import pytest
from helpers.commands import run

from kvnet.cli.generate import main
from kvnet.data.babi_format import TASK_NAMES, file_name, read_stories
from kvnet.data.story import Question


def test_every_task_is_written_under_its_released_name(tmp_path, capsys):
    folder = tmp_path / "new" / "made"
    assert run(main, "--questions", 12, "--out", folder) == 0
    expected = {file_name(task, split) for task in TASK_NAMES for split in ("train", "test")}
    assert {path.name for path in folder.iterdir()} == expected
    for name in expected:
        stories = read_stories(folder / name)
        assert sum(isinstance(line, Question) for story in stories for line in story) == 12
    assert capsys.readouterr().out == f"wrote 40 files of 12 questions each to {folder}\n"


def test_same_seed_writes_same_bytes(tmp_path):
    for folder, seed in (("one", "4"), ("two", "4"), ("three", "5")):
        run(main, "--task", 3, "--seed", seed, "--questions=9", "--out", tmp_path / folder)
    one, two, three = (
        (tmp_path / folder / file_name(3, "train")).read_bytes()
        for folder in ("one", "two", "three")
    )
    assert one == two != three
    assert len(list((tmp_path / "one").iterdir())) == 2


@pytest.mark.parametrize(
    "flags",
    [
        ["--task", "0"],
        ["--task", "21"],
        ["--task", "one"],
        ["--questions", "0"],
        ["--questions", "-1"],
        ["--questions", "many"],
        ["--seed", "1.5"],
        ["--colour", "red"],
        ["--task"],
    ],
    ids=" ".join,
)
def test_invalid_flags_print_one_line(flags, tmp_path, capsys):
    folder = tmp_path / "made"
    assert run(main, "--out", folder, *flags) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert flags[0] in printed.err
    assert not folder.exists()


def test_missing_and_unwritable_out(tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("here")
    for flags in ([], ["--out", blocked], ["--out", blocked / "below"]):
        assert run(main, *flags) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert blocked.read_text() == "here"


def test_existing_files_and_requests_beyond_memory_are_refused(tmp_path, capsys):
    name = file_name(3, "test")
    (tmp_path / name).write_text("mine")
    assert run(main, "--questions", 5, "--out", tmp_path) == 2
    err = capsys.readouterr().err
    assert f"--out: {tmp_path / name} exists already; give another folder" in err
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"
    assert run(main, "--questions", 5, "--task", 4, "--out", tmp_path) == 0
    assert run(main, "--questions", 10**12, "--out", tmp_path / "new") == 2
    assert (
        "out of memory: --questions: making 1,000,000,000,000 questions" in capsys.readouterr().err
    )
    assert run(main, "--out", "") == 2
    assert "--out: the name is empty" in capsys.readouterr().err
