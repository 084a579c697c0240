"""Reading key-value files, and the error messages for malformed ones."""

import pytest

from kvnet import InputError, read_key_value_examples


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
        ("a\tb\n", "line 1: no question follows this memory slot"),
        ("a\tb\n?\ta\tb\nc\td\n", "line 3: no question follows this memory slot"),
        ("a\tb\n\nc\td\n?\tc\td\n", "line 1: no question follows this memory slot"),
        ("\u00a0\n", "contains no question"),
        ("a\tb\n? capital Peru?\tLima\n", "line 2: the key '\\? capital Peru\\?' reads like a"),
        ("a\tb\ncapital Peru?\tLima\n", "line 2: the key 'capital Peru\\?' reads like a question"),
        (".\tb\n", "line 1: the key '.' is punctuation only"),
        ("a\t...\n", "line 1: the value '...' is punctuation only"),
        ("a\tb\n?\t?\tb\n", "line 2: the question '\\?' is punctuation only"),
        ("a\tb\n?\ta?\t.\n", "line 2: the answer '.' is punctuation only"),
        ("a\tb\tc\n", "line 1: malformed memory slot"),
        ("a\tb\n?\ta\tb\tc\n", "line 2: malformed question"),
        ("a\tb\n\t\n", "line 2: malformed memory slot"),
        ("x" * 10**6 + "\n", r"line 1: malformed memory slot 'x{40}' ... 'x{40}' \(1,000,000 char"),
        ("", "the file is empty"),
        (b"\xff\xfe", "line 1: byte 0xff is not UTF-8"),
    ],
)
def test_malformed_key_value_file_error(tmp_path, content, message):
    path = tmp_path / "towns.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        read_key_value_examples(path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_only_line_feeds_and_carriage_returns_end_a_line(tmp_path, end):
    path, others = tmp_path / "towns.txt", "\u2028\u2029\x85\f\v\x1c\x1d\x1e"
    rows = [f"capital{other}Peru\tLima{other}Callao" for other in others]
    path.write_bytes(end.join([*rows, "?\tcapital\x0bPeru?\tLima", ""]).encode())
    (example,) = read_key_value_examples(path)
    assert example.keys == (("capital", "peru"),) * len(others)
    assert example.values == (("lima", "callao"),) * len(others)


def test_answers_are_normalised_like_memory_words(tmp_path):
    path = tmp_path / "towns.txt"
    for answer in ("Lima", "Lima.", " lima ", '"Lima"', "LIMA!"):
        path.write_text(f"capital Peru\tLima.\n?\tcapital Peru?\t{answer}\n")
        (example,) = read_key_value_examples(path)
        assert (example.answer,) == example.values[0] == ("lima",)
