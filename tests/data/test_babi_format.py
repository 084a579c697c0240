"""Reading and writing bAbI files, and the error messages for malformed ones."""

import pytest

from kvnet import InputError
from kvnet.data.babi import encode_tasks, find_data_dir, read_task
from kvnet.data.babi_format import TASK_NAMES, file_name, format_stories, read_stories
from kvnet.data.example import examples_of
from kvnet.data.story import Question, Sentence, answer_of, words_of

GOOD = (
    "1 Mary moved to the bathroom.\n"
    "2 John went to the hallway.\n"
    "3 Where is Mary? \tbathroom\t1\n"
    "4 Mary took the apple.\n"
    "5 What is Mary carrying?\tapple,football\t4 1\n"
    "1 Sheep are afraid of wolves.\n"
    "2 What are sheep afraid of?\twolf\t1\n"
)


def test_read_and_write_round_trip(tmp_path):
    path = tmp_path / "qa.txt"
    path.write_text(GOOD)
    stories = read_stories(path)
    assert [len(story) for story in stories] == [5, 2]
    assert stories[0][0] == Sentence("Mary moved to the bathroom.")
    assert stories[0][4] == Question("What is Mary carrying?", "apple,football", (4, 1))
    assert format_stories(stories) == GOOD


def test_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path):
    path = tmp_path / "qa.txt"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    assert format_stories(read_stories(path)) == GOOD


def test_memory_holds_every_sentence_above_the_question(tmp_path):
    path = tmp_path / "qa.txt"
    path.write_text(GOOD)
    examples = examples_of(read_stories(path))
    assert [len(e.keys) for e in examples] == [2, 3, 1]
    assert examples[1].keys[2] == ("mary", "took", "the", "apple")
    assert examples[1].question == ("what", "is", "mary", "carrying")
    assert examples[1].keys is examples[1].values
    assert words_of("Where is Mary? ") == ("where", "is", "mary")


MALFORMED = {
    "no ID": ("Mary is here.\n", "line 1: 'Mary is here.' does not start with an ID"),
    "no tab": (
        "1 Mary is here.\n2 Where is Mary?\n",
        r"line 2: the question 'Where is Mary\?' is not followed by a tab",
    ),
    "no answer": ("1 Mary is here.\n2 Where is Mary?\t\t1\n", "line 2: .* has no answer"),
    "no question": (
        "1 Mary is here.\n2 ?\there\t1\n",
        r"line 2: no question text in '\?' before the tab",
    ),
    "repeated ID": ("1 A b.\n2 C d.\n2 E f.\n", "line 3: got ID 2, expected ID 3"),
    "skipped ID": ("1 A b.\n3 C d.\n", "line 2: got ID 3, expected ID 2"),
    "first ID 2": ("2 A b.\n", "line 1: got ID 2, expected ID 1"),
    "no sentence": ("1 Where is Mary?\there\t\n", "line 1: .* comes before any sentence"),
    "ID only": ("1 A b.\n2 \n", "line 2: ID 2 without a sentence"),
    "wrong supporting ID": (
        "1 A b.\n2 C?\td\t7\n",
        "line 2: supporting ID 7 is not the ID of a sentence above",
    ),
    "non-numeric supporting ID": ("1 A b.\n2 C?\td\tx\n", "line 2: supporting IDs 'x'"),
    "stray tab": (
        "1 A b.\n2 Mary\tis here.\n",
        r"line 2: a tab after 'Mary', which does not end with '\?'",
    ),
    "too long ID": ("9" * 5000 + " A b.\n", r"line 1: '9{40}' \.\.\. .* does not start with an ID"),
    "blank line in a story": ("1 A b.\n\n2 C d.\n", "line 3: got ID 2 after a blank line"),
    "surplus tab": ("1 A b.\n2 C?\td\t1\t1\n", "line 2: 4 fields separated by tabs"),
    "answer of marks": ("1 A b.\n2 C?\t.\t1\n", "line 2: the answer '.' is punctuation only"),
    "story without a question": (
        "1 A b.\n1 C d.\n2 E?\tf\n",
        "line 1: the story that ends here has no question",
    ),
    "no question at all": ("1 A b.\n2 C d.\n", "line 2: the story that ends here has no question"),
    "long line": (
        "1 " + "a " * 10**6 + "?",
        r"line 1: the question 'a a .*' \.\.\. .* \(2,000,001",
    ),
    "zero byte": ("1 A b.\n2 C\0d.\n", "line 2: contains a zero byte"),
    "latin-1": ("1 A b.\n2 caf\xe9.\n".encode("latin-1"), "line 2: byte 0xe9 is not UTF-8"),
    "binary": (b"\x80\x04\x95\xff\x00\x01", "line 1: byte 0x80 is not UTF-8"),
    "empty file": ("", "the file is empty"),
    "blank lines only": ("\n\n", "the file is empty"),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_file_error_names_file_and_line(tmp_path, kind):
    content, message = MALFORMED[kind]
    path = tmp_path / "qa1_malformed.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        read_stories(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_blank_lines_may_separate_stories(tmp_path):
    path = tmp_path / "qa.txt"
    path.write_text("\n" + GOOD.replace("1 Sheep", "\n \n1 Sheep") + "\n\n")
    assert format_stories(read_stories(path)) == GOOD


def test_punctuation_is_split_off_and_end_marks_are_dropped():
    for text, words in {
        "Mary, who left, is back!": "mary , who left , is back",
        "Is she (really) here ?!": "is she ( really ) here",
        'He said "hello."': 'he said " hello . "',
        "मैरी बाथरूम गई।": "मैरी बाथरूम गई",
        "Don't e-mail a,b at 3.14 or C#.": "don't e-mail a,b at 3.14 or c#",
        "Where is Mary?\u00a0": "where is mary",
        "Cafe\u0301": "caf\u00e9",
        "...": "",
    }.items():
        assert " ".join(words_of(text)) == words
    for text, answer in {
        "apple,football": "apple,football",
        "apple, football.": "apple,football",
        " (Lima) ": "Lima",
        "?": "",
    }.items():
        assert answer_of(text) == answer


def test_a_folder_like_en_valid_has_its_own_validation_questions(tmp_path):
    for split, place in (("train", "bathroom"), ("valid", "office"), ("test", "garden")):
        text = f"1 Mary is in the {place}.\n2 Where is Mary?\t{place}\t1\n"
        (tmp_path / f"qa1_{split}.txt").write_text(text)
    task = read_task(tmp_path, 1)
    assert [e.answer for e in (*task.train, *task.valid, *task.test)] == [
        "bathroom",
        "office",
        "garden",
    ]
    data = encode_tasks([task], memory_size=5, random_state=0)
    answers = [
        data.vocabulary.word(int(split.dataset.answers[0]))
        for split in (data.training, data.validation, data.testing)
    ]
    assert answers == ["bathroom", "office", "garden"]
    (tmp_path / "qa1_valid.txt").unlink()
    with pytest.raises(InputError, match=r"qa1_train\.txt: has one question, but one is held out"):
        read_task(tmp_path, 1)


def test_two_files_for_one_task_are_refused(tmp_path):
    for name in ("qa1_single-supporting-fact_train.txt", "qa1_mine_train.txt", "qa11_a_train.txt"):
        (tmp_path / name).write_text(GOOD)
    message = "qa1_mine_train.txt and qa1_single-supporting-fact_train.txt are both the train file"
    with pytest.raises(InputError, match=message):
        read_task(tmp_path, 1)
    (tmp_path / "qa1_mine_train.txt").rename(tmp_path / "qa1_train.txt")
    with pytest.raises(InputError, match=r"and qa1_train.txt are both the train file of task 1"):
        read_task(tmp_path, 1)


def test_missing_task_file_error(tmp_path):
    (tmp_path / file_name(1, "train")).write_text(GOOD)
    with pytest.raises(InputError, match=r"qa1_single-supporting-fact_test\.txt: file of task 1 "):
        read_task(tmp_path, 1)


def test_find_data_dir(tmp_path, monkeypatch):
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


def test_released_files_round_trip_byte_for_byte(released):
    for task in TASK_NAMES:
        path = released / file_name(task, "test")
        assert format_stories(read_stories(path)) == path.read_text()


def test_released_data_has_published_sizes(released):
    tasks = [read_task(released, number) for number in TASK_NAMES]
    joint = encode_tasks(tasks, memory_size=50, random_state=0)
    assert (len(joint.vocabulary), *joint.sizes) == (175, 11, 50)
    sizes = [len(split.dataset) for split in (joint.training, joint.validation, joint.testing)]
    assert sizes == [18_000, 2_000, 20_000]
    for number, memory_size in ((4, 2), (17, 2), (19, 5)):
        single = encode_tasks([tasks[number - 1]], memory_size=20, random_state=0)
        assert single.sizes.memory_size == memory_size
