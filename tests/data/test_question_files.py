"""Which files of questions belong to which split."""

import pytest

from kvnet import InputError
from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.question_files import find_question_files, read_question_files

BASE = KnowledgeBase.of_facts([("a", "r", "b"), ("c", "r", "d"), ("what", "r", "e")])


def write(path, text="what is r of [a]\tb\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def relative(files, folder):
    return {
        split: [(str(path.relative_to(folder)), hops) for path, hops in paths]
        for split, paths in files.items()
    }


def test_metaqa_folders_complete_each_other(tmp_path):
    for name in ("qa/1-hop/qa_train", "qa/1-hop/qa_dev", "qa/2-hop/qa_test", "made/2-hop/qa_train"):
        write(tmp_path / f"{name}.txt")
    write(tmp_path / "qa/2-hop/qa_train_qtype.txt", "a kind\n")
    files = find_question_files([str(tmp_path / "qa"), str(tmp_path / "made")], [1, 2])
    assert relative(files, tmp_path) == {
        "training": [("qa/1-hop/qa_train.txt", 1), ("made/2-hop/qa_train.txt", 2)],
        "validation": [("qa/1-hop/qa_dev.txt", 1)],
        "testing": [("qa/2-hop/qa_test.txt", 2)],
    }
    files = find_question_files([str(tmp_path / "made"), str(tmp_path / "qa")], [2])
    questions = read_question_files(files, BASE)
    assert questions["training"].types == ["a kind"]
    assert questions["training"].hops.tolist() == [2]
    assert "validation" not in questions


def test_a_missing_training_file_says_how_to_make_it(metaqa):
    with pytest.raises(InputError, match=r"has no 3-hop/qa_train.txt; make it .* 3 .*--questions"):
        find_question_files([str(metaqa)], [1, 3])


def test_one_hop_folder_and_wikimovies_folder(metaqa):
    files = find_question_files([str(metaqa / "1-hop")], [1])
    assert {split: [(p.name, h) for p, h in paths] for split, paths in files.items()} == {
        "training": [("qa_train.txt", 1)],
        "validation": [("qa_dev.txt", 1)],
        "testing": [("qa_test.txt", 1)],
    }
    names = [metaqa / "1-hop/qa_train.txt", metaqa / "wikimovies/wiki-entities_qa_test.txt"]
    files = find_question_files(list(map(str, names)), [1])
    assert list(files.values()) == [[(names[0], 1)], [], [(names[1], 0)]]


def test_files_are_assigned_by_their_names(tmp_path):
    names = [write(tmp_path / f"{n}.txt") for n in ("mine", "films-valid", "TEST2", "films_train")]
    files = find_question_files(list(map(str, names)), [1])
    assert relative(files, tmp_path) == {
        "training": [("mine.txt", 0), ("films_train.txt", 0)],
        "validation": [("films-valid.txt", 0)],
        "testing": [("TEST2.txt", 0)],
    }


def test_words_of_training_questions_help_to_find_entities(tmp_path):
    write(tmp_path / "q_train.txt", "what is r of [a]\tb\n")
    test = write(tmp_path / "q_test.txt", "what is r of c\td\n")
    questions = read_question_files(find_question_files([str(tmp_path)], [1]), BASE)
    assert questions["testing"].entities.tolist() == [BASE.find("c")]  # not the longer "what"
    write(test, "what is r of x\td\n")
    with pytest.raises(InputError, match=r"q_test.txt, line 1: 'x' in 'what is r of x' names no"):
        read_question_files(find_question_files([str(tmp_path)], [1]), BASE)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["none"], "none does not exist; check the path"),
        (["empty"], "has no .*.txt file with train, dev or test in its name"),
        (["dev.txt"], "no training questions in .*; add a file with train in its name"),
        (["train-test.txt"], "names several splits, testing and training; rename it"),
    ],
)
def test_names_that_cannot_be_used(tmp_path, names, message):
    (tmp_path / "empty").mkdir()
    for name in ("dev.txt", "train-test.txt"):
        write(tmp_path / name)
    with pytest.raises(InputError, match=message):
        find_question_files([str(tmp_path / name) for name in names], [1])
