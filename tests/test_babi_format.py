"""Reading and writing bAbI files, and what is said of broken ones."""

import pytest

from kvnet import InputError
from kvnet.data.babi import encode_tasks, find_data_dir, read_task
from kvnet.data.babi_format import TASK_NAMES, file_name, format_stories, read_stories
from kvnet.data.example import examples_of
from kvnet.data.story import Question, Sentence, words_of

GOOD = (
    "1 Mary moved to the bathroom.\n"
    "2 John went to the hallway.\n"
    "3 Where is Mary? \tbathroom\t1\n"
    "4 Mary took the apple.\n"
    "5 What is Mary carrying?\tapple,football\t4 1\n"
    "1 Sheep are afraid of wolves.\n"
    "2 What are sheep afraid of?\twolf\t1\n"
)


def test_stories_are_read_and_written_back(tmp_path):
    path = tmp_path / "qa.txt"
    path.write_text(GOOD)
    stories = read_stories(path)
    assert [len(story) for story in stories] == [5, 2]
    assert stories[0][0] == Sentence("Mary moved to the bathroom.")
    assert stories[0][4] == Question("What is Mary carrying?", "apple,football", (4, 1))
    assert format_stories(stories) == GOOD


def test_windows_files_are_read(tmp_path):
    path = tmp_path / "qa.txt"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    assert format_stories(read_stories(path)) == GOOD


def test_examples_remember_every_sentence_above_their_question(tmp_path):
    path = tmp_path / "qa.txt"
    path.write_text(GOOD)
    examples = examples_of(read_stories(path))
    assert [len(e.keys) for e in examples] == [2, 3, 1]
    assert examples[1].keys[2] == ("mary", "took", "the", "apple")
    assert examples[1].question == ("what", "is", "mary", "carrying")
    assert examples[1].keys is examples[1].values
    assert words_of("Where is Mary? ") == ("where", "is", "mary")


BROKEN = {
    "no ID": ("Mary is here.\n", "line 1: no ID at its start"),
    "no tab": ("1 Mary is here.\n2 Where is Mary?\n", "line 2: the question .* has no tab"),
    "no answer": ("1 Mary is here.\n2 Where is Mary?\t\t1\n", "line 2: .* has no answer"),
    "no question": ("1 Mary is here.\n2 ?\there\t1\n", "line 2: no question before the tab"),
    "IDs that fall": ("1 A b.\n2 C d.\n2 E f.\n", "line 3: ID 2 after ID 2"),
    "IDs that jump": ("1 A b.\n3 C d.\n", "line 2: ID 3 after ID 1"),
    "a first ID of 2": ("2 A b.\n", "line 1: ID 2 after ID 0"),
    "no sentence": ("1 Where is Mary?\there\t\n", "line 1: a question before any sentence"),
    "an ID alone": ("1 A b.\n2 \n", "line 2: ID 2 without a sentence"),
    "a wrong fact": ("1 A b.\n2 C?\td\t7\n", "line 2: supporting ID 7 is no sentence above"),
    "a fact that is no number": ("1 A b.\n2 C?\td\tx\n", "line 2: supporting IDs 'x'"),
    "a stray tab": ("1 A b.\n2 Mary\tis here.\n", "line 2: a tab after 'Mary', which ends in no"),
    "an endless ID": ("9" * 5000 + " A b.\n", "line 1: no ID at its start"),
    "a blank line": ("1 A b.\n\n2 C d.\n", "line 2: no ID at its start"),
    "zero bytes": ("1 A b.\n2 C\0d.\n", "line 2: holds a zero byte"),
    "latin-1": ("1 A b.\n2 caf\xe9.\n".encode("latin-1"), "line 2: byte 0xe9 is not UTF-8"),
    "binary": (b"\x80\x04\x95\xff\x00\x01", "line 1: byte 0x80 is not UTF-8"),
    "nothing": ("", "the file is empty"),
    "blank lines": ("\n\n", "the file is empty"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_name_file_line_and_remedy(tmp_path, kind):
    content, message = BROKEN[kind]
    path = tmp_path / "qa1_broken.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        read_stories(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_task_without_its_file_is_named(tmp_path):
    (tmp_path / file_name(1, "train")).write_text(GOOD)
    with pytest.raises(InputError, match=r"qa1_single-supporting-fact_test\.txt: task 1 has no"):
        read_task(tmp_path, 1)


def test_folders_without_tasks_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv("KVNET_DATA", raising=False)
    assert find_data_dir(None) is None
    with pytest.raises(InputError, match=r"--data-dir: .* holds no qa\*_train\.txt files"):
        find_data_dir(str(tmp_path))
    with pytest.raises(InputError, match=r"--data-dir: .*missing is not a folder"):
        find_data_dir(str(tmp_path / "missing"))
    monkeypatch.setenv("KVNET_DATA", str(tmp_path))
    with pytest.raises(InputError, match="KVNET_DATA: "):
        find_data_dir(None)
    (tmp_path / "tasks_1-20_v1-2/en").mkdir(parents=True)
    (tmp_path / "tasks_1-20_v1-2/en" / file_name(1, "train")).write_text(GOOD)
    assert find_data_dir(None) == tmp_path / "tasks_1-20_v1-2/en"


def test_released_files_come_back_byte_for_byte(released):
    for task in TASK_NAMES:
        path = released / file_name(task, "test")
        assert format_stories(read_stories(path)) == path.read_text()


def test_released_sizes_are_the_published_ones(released):
    tasks = [read_task(released, number) for number in TASK_NAMES]
    joint = encode_tasks(tasks, memory_size=50, random_state=0)
    assert (len(joint.vocabulary), *joint.sizes) == (175, 11, 50)
    sizes = [len(split.dataset) for split in (joint.training, joint.validation, joint.testing)]
    assert sizes == [18_000, 2_000, 20_000]
    for number, memory_size in ((4, 2), (17, 2), (19, 5)):
        single = encode_tasks([tasks[number - 1]], memory_size=20, random_state=0)
        assert single.sizes.memory_size == memory_size
