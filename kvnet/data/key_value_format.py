"""A plain text format for memories whose keys and values differ.

A line ``key TAB value`` is a memory slot. A line ``? TAB question TAB answer`` is a question about
the slots above it. An empty line starts a new memory.
"""

from pathlib import Path

from kvnet.data.example import Example
from kvnet.data.story import words_of
from kvnet.errors import InputError


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
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from None
    examples, keys, values = [], (), ()
    for line_number, line in enumerate(text.splitlines(), start=1):
        where = f"{path}, line {line_number}"
        fields = [field.strip() for field in line.split("\t")]
        if not line.strip():
            keys, values = (), ()
        elif fields[0] == "?":
            if len(fields) != 3 or not all(fields):
                raise InputError(
                    f"{where}: malformed question {line!r}; write '?<TAB>question<TAB>answer'"
                )
            if not keys:
                raise InputError(
                    f"{where}: question {fields[1]!r} without a memory; add at least one line "
                    "'key<TAB>value' above it"
                )
            examples.append(Example(words_of(fields[1]), keys, values, fields[2].lower()))
        else:
            if len(fields) != 2 or not all(fields):
                raise InputError(f"{where}: malformed memory slot {line!r}; write 'key<TAB>value'")
            keys, values = (*keys, words_of(fields[0])), (*values, words_of(fields[1]))
    if not examples:
        raise InputError(f"{path}: contains no question; add lines '?<TAB>question<TAB>answer'")
    return examples
