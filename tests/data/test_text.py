"""Texts for the language model: words, contexts and batches."""

import numpy
import pytest
from helpers.small_models import LANGUAGE_MODEL, random_text

from kvnet import InputError, renumber
from kvnet.data.text import encode_texts, made_words, read_words, words_of_lines
from kvnet.data.vocabulary import Vocabulary

M = LANGUAGE_MODEL.memory_size


def test_a_context_is_the_words_before(rng):
    text = random_text(rng)
    ids = text._ids
    context = text.batch(numpy.array([M, 9]))
    assert (context.words[context.slots] == [ids[M - 1 :: -1], ids[8:4:-1]]).all()
    assert (context.target == ids[[M, 9]]).all()
    assert len(set(context.words.tolist())) == len(context.words)


@pytest.mark.parametrize("largest", [renumber.LARGEST_TABLE, 1], ids=["one table", "split"])
def test_batches_equal_single_batches(rng, largest, monkeypatch):
    monkeypatch.setattr(renumber, "LARGEST_TABLE", largest)
    text, rows = random_text(rng), rng.integers(M, 60, (6, 2))
    batches = text.batches(rows)
    for context, batch_rows in zip(batches, rows, strict=True):
        single = text.batch(batch_rows)
        assert (single.words == numpy.unique(single.words[single.slots])).all()
        # The others have no slot, but are different words: each is a row that is updated.
        assert (context.words[: len(single.words)] == single.words).all()
        assert len(set(context.words.tolist())) == len(context.words)
        assert (context.slots == single.slots).all() and (context.target == single.target).all()
    if largest > 1:
        assert len({len(context.words) for context in batches}) == 1


def test_the_end_of_a_line_is_a_word():
    assert words_of_lines([" a b ", "c"]) == ["a", "b", "<eos>", "c", "<eos>"]
    made = made_words("train")
    assert made == made_words("train") != made_words("test")
    assert made.count("<eos>") > 1000 and "?" in made


def test_the_vocabulary_is_that_of_all_texts_which_are_longer_than_the_memory():
    texts = {"one": list("abcde"), "two": list("abcdf"), "three": list("abcdg")}
    data = encode_texts(texts, 4)
    assert data.vocabulary.words == list("abcdefg")
    assert data.vocabulary.word(0) == "a" and len(data.vocabulary) == 7
    message = r"one: 5 words, .* memory of 5 words; use a smaller memory_size"
    with pytest.raises(InputError, match=message):
        encode_texts(texts, 5)
    with pytest.raises(InputError, match="two, from line 1 on: 'f' is not among the 5"):
        encode_texts(texts, 4, vocabulary=Vocabulary("abcde", nil=False))


def test_only_line_feeds_and_carriage_returns_end_a_line(tmp_path):
    path, others = tmp_path / "a.train.txt", "\u2028\u2029\x85\f\v\x1c\x1d\x1e"
    path.write_bytes("".join(f"a{other}b\n" for other in others).encode() + b"c\r\nd\re")
    ends = ["a", "b", "<eos>"] * len(others) + ["c", "<eos>", "d", "<eos>", "e", "<eos>"]
    assert read_words(path) == ends
    path.write_bytes(b"a\nb\xe9\n")
    with pytest.raises(InputError, match="line 2: byte 0xe9 is not UTF-8"):
        read_words(path)
