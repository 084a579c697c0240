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
        ("a\tb\n", "contains no question"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
    ],
)
def test_malformed_key_value_file_error(tmp_path, content, message):
    path = tmp_path / "towns.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        read_key_value_examples(path)
