"""Encoded examples: which sentence is in which memory slot."""

import numpy
import pytest

from kvnet import Example, InputError, renumber
from kvnet.data.babi import Task, encode_tasks
from kvnet.data.dataset import Dataset, Sizes, sizes_of, vocabulary_of

STORY = ["a b", "c", "d e f"]


def encoded(examples, memory_size):
    return Dataset.of_examples(examples, vocabulary_of(examples), sizes_of(examples, memory_size))


def decoded(vocabulary, words):
    return [" ".join(vocabulary.word(i) for i in row if i) for row in words]


def test_slot_0_holds_the_most_recent_sentence():
    examples = [
        Example.of_story("a c?", STORY, answer="b"),
        Example.of_story("d?", STORY[:1], answer="e"),
    ]
    vocabulary = vocabulary_of(examples)
    batch = encoded(examples, memory_size=50).batch(numpy.array([1, 0]))
    assert batch.keys.shape == (2, 3)
    assert decoded(vocabulary, batch.sentences[batch.keys[1]]) == ["d e f", "c", "a b"]
    assert decoded(vocabulary, batch.sentences[batch.keys[0]]) == ["a b", "", ""]
    assert len(batch.sentences) == 4  # each distinct sentence once, the empty one first
    assert not batch.sentences[0].any()
    assert decoded(vocabulary, batch.query) == ["d", "a c"]
    assert batch.values is batch.keys
    assert vocabulary.word(int(batch.answer[1])) == "b"


def test_long_memory_keeps_its_most_recent_slots():
    examples = [Example.of_story("a?", STORY, answer="b")]
    batch = encoded(examples, memory_size=2).batch(numpy.array([0]))
    assert decoded(vocabulary_of(examples), batch.sentences[batch.keys[0]]) == ["d e f", "c"]


def test_values_may_differ_from_keys():
    examples = [Example.of_memory("a?", keys=["a", "c"], values=["b", "d"], answer="b")]
    vocabulary = vocabulary_of(examples)
    data = Dataset.of_examples(examples, vocabulary, Sizes(2, 4))
    batch = data.batch(numpy.array([0]))
    assert decoded(vocabulary, batch.sentences[batch.keys[0]]) == ["c", "a", "", ""]
    assert decoded(vocabulary, batch.sentences[batch.values[0]]) == ["d", "b", "", ""]


@pytest.mark.parametrize("same", [True, False], ids=["keys are values", "keys and values"])
@pytest.mark.parametrize("largest", [renumber.LARGEST_TABLE, 1], ids=["one table", "split"])
def test_batches_equal_single_batches(rng, same, largest, monkeypatch):
    monkeypatch.setattr(renumber, "LARGEST_TABLE", largest)
    words = numpy.array(list("abcdefgh"))
    examples = []
    for n in rng.integers(1, 6, 24):
        keys, values = ([" ".join(rng.choice(words, 2)) for _ in range(n)] for _ in range(2))
        question, answer = " ".join(rng.choice(words, 2)), rng.choice(words)
        examples.append(
            Example.of_story(question, keys, answer)
            if same
            else Example.of_memory(question, keys, values, answer)
        )
    data = encoded(examples, memory_size=4)
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
    if largest > 1:
        assert len({len(batch.sentences) for batch in batches}) == 1


def test_invalid_example_error():
    vocabulary = vocabulary_of([Example.of_story("a?", STORY, answer="b")])
    for invalid, message in [
        (
            Example.of_story("a a a a?", STORY),
            "'a a a a': 4 words, but the model reads sentences of at most 3",
        ),
        (Example.of_story("zebra?", STORY), "'zebra' is not among the 6 words"),
        (Example.of_story("a?", []), "'a': asked of an empty memory"),
        (Example.of_memory("a?", keys=["a"], values=["b", "c"]), "1 keys but 2 values"),
    ]:
        with pytest.raises(InputError, match=message):
            Dataset.of_examples([invalid], vocabulary, Sizes(3, 5))


def test_a_text_in_place_of_a_list_of_texts_is_refused():
    with pytest.raises(InputError, match="story='a b' is one text; give a list of texts"):
        Example.of_story("a?", "a b")
    for name in ("keys", "values"):
        memory = {"keys": ["a"], "values": ["b"]} | {name: "c"}
        with pytest.raises(InputError, match=f"{name}='c' is one text; give a list of texts"):
            Example.of_memory("a?", **memory)


def test_keys_of_a_story_are_its_values():
    example = Example.of_story("Where is A? ", ["A is here.", "B left."], " Here")
    assert example == (
        ("where", "is", "a"),
        (("a", "is", "here"), ("b", "left")),
        (("a", "is", "here"), ("b", "left")),
        "here",
        ("Where is A? ", "A is here.", "B left.", " Here"),
    )
    assert example.keys is example.values


def test_validation_is_a_disjoint_tenth_of_each_task():
    def examples(*questions):
        return [Example.of_story(question, ["s"], answer="a") for question in questions]

    tasks = [Task(n, examples(*(f"q{n} x{i}?" for i in range(50))), examples("q?")) for n in (1, 2)]
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
