"""Encoded examples: which sentence is in which memory slot."""

import numpy
import pytest

from kvnet import InputError, example, read_key_value_examples
from kvnet import renumber as distinct
from kvnet.data.babi import Task, encode_tasks
from kvnet.data.dataset import Dataset, Sizes, sizes_of, vocabulary_of

STORY = ["a b", "c", "d e f"]


def decoded(vocabulary, words):
    return [" ".join(vocabulary.word(i) for i in row if i) for row in words]


def test_slot_0_holds_the_most_recent_sentence():
    examples = [example("a c?", STORY, "b"), example("d?", STORY[:1], "e")]
    vocabulary = vocabulary_of(examples)
    data = Dataset(examples, vocabulary, sizes_of(examples, memory_size=50))
    batch = data.batch(numpy.array([1, 0]))
    assert batch.keys.shape == (2, 3)
    assert decoded(vocabulary, batch.sentences[batch.keys[1]]) == ["d e f", "c", "a b"]
    assert decoded(vocabulary, batch.sentences[batch.keys[0]]) == ["a b", "", ""]
    assert len(batch.sentences) == 4  # each distinct sentence once, the empty one first
    assert not batch.sentences[0].any()
    assert decoded(vocabulary, batch.query) == ["d", "a c"]
    assert batch.values is batch.keys
    assert vocabulary.word(int(batch.answer[1])) == "b"


def test_long_memory_keeps_its_most_recent_slots():
    examples = [example("a?", STORY, "b")]
    vocabulary = vocabulary_of(examples)
    data = Dataset(examples, vocabulary, sizes_of(examples, memory_size=2))
    batch = data.batch(slice(0, 1))
    assert decoded(vocabulary, batch.sentences[batch.keys[0]]) == ["d e f", "c"]


def test_values_may_differ_from_keys():
    examples = [example("a?", keys=["a", "c"], values=["b", "d"], answer="b")]
    vocabulary = vocabulary_of(examples)
    batch = Dataset(examples, vocabulary, Sizes(2, 4)).batch(slice(0, 1))
    assert decoded(vocabulary, batch.sentences[batch.keys[0]]) == ["c", "a", "", ""]
    assert decoded(vocabulary, batch.sentences[batch.values[0]]) == ["d", "b", "", ""]


@pytest.mark.parametrize("same", [True, False], ids=["keys are values", "keys and values"])
@pytest.mark.parametrize("cells", [distinct.CELLS_AT_A_TIME, 1])
def test_batches_equal_single_batches(rng, same, cells, monkeypatch):
    monkeypatch.setattr(distinct, "CELLS_AT_A_TIME", cells)
    words = numpy.array(list("abcdefgh"))
    examples = []
    for n in rng.integers(1, 6, 24):
        keys, values = ([" ".join(rng.choice(words, 2)) for _ in range(n)] for _ in range(2))
        memory = {"story": keys} if same else {"keys": keys, "values": values}
        examples.append(example(" ".join(rng.choice(words, 2)), answer=rng.choice(words), **memory))
    data = Dataset(examples, vocabulary_of(examples), sizes_of(examples, 4))
    rows = rng.integers(0, 24, (5, 3))
    batches = data.batches(rows)
    for batch, batch_rows in zip(batches, rows, strict=True):
        single = data.batch(batch_rows)
        assert not batch.sentences[0].any()
        assert (batch.values is batch.keys) == same
        for array, expected in zip(batch, single, strict=True):
            if array is not batch.sentences:
                assert (array == expected).all()
        sentences, padding = numpy.split(batch.sentences, [len(single.sentences)])
        assert (sentences == single.sentences).all() and not padding.any()
    if cells > 1:
        assert len({len(batch.sentences) for batch in batches}) == 1


def test_invalid_example_error():
    vocabulary = vocabulary_of([example("a?", STORY, "b")])
    for invalid, message in [
        (example("a a a a?", STORY), "'a a a a': 4 words, but the model reads .* at most 3"),
        (example("zebra?", STORY), "'zebra' not among the 6 words"),
        (example("a?", keys=["a"], values=["b", "c"]), "1 keys but 2 values"),
    ]:
        with pytest.raises(InputError, match=message):
            Dataset([invalid], vocabulary, Sizes(3, 5))


def test_example_requires_story_or_keys_and_values():
    for arguments in ({}, {"keys": ["a"]}, {"story": ["a"], "keys": ["a"], "values": ["a"]}):
        with pytest.raises(InputError, match="either story, or keys and values"):
            example("a?", **arguments)


def test_validation_is_a_disjoint_tenth_of_each_task():
    tasks = [
        Task(
            n, [example(f"q{n} x{i}?", ["s"], "a") for i in range(50)], [example("q?", ["s"], "a")]
        )
        for n in (1, 2)
    ]
    data = encode_tasks(tasks, memory_size=5, random_state=3)

    def questions(split):
        d = data._asdict()[split].dataset
        return decoded(data.vocabulary, d.sentences[d.queries])

    training, validation = questions("training"), questions("validation")
    assert (len(training), len(validation)) == (90, 10)
    assert not set(training) & set(validation)
    assert list(data.training.tasks) == [1] * 45 + [2] * 45
    assert training[:45] == sorted(training[:45], key=lambda q: int(q.split("x")[1]))
    again = encode_tasks(tasks, memory_size=5, random_state=4)
    d = again.validation.dataset
    assert decoded(again.vocabulary, d.sentences[d.queries]) != validation


def test_read_key_value_file(tmp_path):
    path = tmp_path / "towns.txt"
    path.write_text(
        "capital France\tParis\ncapital Peru\tLima\n?\tcapital Peru?\tLima\n\nx\ty\n?\tx\ty\n"
    )
    first, second = read_key_value_examples(path)
    assert first.keys == (("capital", "france"), ("capital", "peru"))
    assert first.values == (("paris",), ("lima",))
    assert (first.question, first.answer) == (("capital", "peru"), "lima")
    assert second.keys == (("x",),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a b\n", "line 1: malformed memory slot 'a b'; write 'key<TAB>value'"),
        ("a\tb\n?\tc\n", "line 2: malformed question .* write '\\?<TAB>question<TAB>answer'"),
        ("?\tc\td\n", "line 1: question 'c' without a memory"),
        ("a\tb\n", "contains no question"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
    ],
)
def test_malformed_key_value_file_error(tmp_path, content, message):
    path = tmp_path / "towns.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        read_key_value_examples(path)
