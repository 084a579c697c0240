"""A plain text format for memories whose keys and values differ.

A line ``key TAB value`` is a memory slot. A line ``? TAB question TAB answer`` is a question about
the slots above it. An empty line starts a new memory.
"""

from pathlib import Path

from kvnet.data.example import Example
from kvnet.data.lines import read_lines
from kvnet.data.story import answer_of, is_question, words_of
from kvnet.errors import InputError, shown


def read_key_value_examples(path: str | Path) -> list[Example]:
    """Read a key-value file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    examples : list of Example
        One per question.

    Raises
    ------
    InputError
        If the file cannot be read, a line violates the format or there is no question. The message
        names the file and the line.
    """
    path = Path(path)
    examples, memory = [], _Memory()
    for where, line in read_lines(
        path, "write lines 'key<TAB>value' and '?<TAB>question<TAB>answer'"
    ):
        fields = [field.strip() for field in line.split("\t")]
        if fields == [""]:
            memory.check_used()
            memory = _Memory()
        elif fields[0] == "?":
            examples.append(_question(fields, line, memory, where))
        else:
            memory.add(fields, line, where)
    memory.check_used()
    if not examples:
        raise InputError(f"{path}: contains no question; add lines '?<TAB>question<TAB>answer'")
    return examples


class _Memory:
    """The slots that a file has listed since its last empty line."""

    def __init__(self):
        self.keys, self.values, self.texts = (), (), ()
        self.unused = None  # the place of the last slot that no question is about

    def add(self, fields, line, where):
        if len(fields) != 2 or not all(fields):
            raise InputError(f"{where}: malformed memory slot {shown(line)}; write 'key<TAB>value'")
        key, value = fields
        if key.startswith("?") or is_question(key):
            raise InputError(
                f"{where}: the key {shown(key)} reads like a question; write "
                "'?<TAB>question<TAB>answer' for a question, or a key without '?' at either end"
            )
        for name, text in (("key", key), ("value", value)):
            if not words_of(text):
                raise InputError(
                    f"{where}: the {name} {shown(text)} is punctuation only; write a word"
                )
        self.keys, self.values = (*self.keys, words_of(key)), (*self.values, words_of(value))
        self.texts, self.unused = (*self.texts, key, value), where

    def check_used(self):
        if self.unused:
            raise InputError(
                f"{self.unused}: no question follows this memory slot; add a line "
                "'?<TAB>question<TAB>answer' below it, or delete it"
            )


def _question(fields, line, memory, where):
    if len(fields) != 3 or not all(fields):
        raise InputError(
            f"{where}: malformed question {shown(line)}; write '?<TAB>question<TAB>answer'"
        )
    _, question, answer = fields
    if not memory.keys:
        raise InputError(
            f"{where}: question {shown(question)} without a memory; add at least one line "
            "'key<TAB>value' above it"
        )
    words, answer_word = words_of(question), answer_of(answer)
    if not words or not answer_word:
        name, text = ("answer", answer) if words else ("question", question)
        raise InputError(f"{where}: the {name} {shown(text)} is punctuation only; write a word")
    memory.unused = None
    texts = (question, *memory.texts, answer)
    return Example(words, memory.keys, memory.values, answer_word.lower(), texts)
