"""Texts for the language model: three files, one sentence per line, as arrays of word ids."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy

from kvnet.data.batch import Context
from kvnet.data.lines import LINE_END, read_lines
from kvnet.data.simulator import generate
from kvnet.data.story import Question, words_of
from kvnet.data.vocabulary import Vocabulary
from kvnet.errors import InputError, setting
from kvnet.renumber import renumber, split

END, UNKNOWN = "<eos>", "<unk>"
SPLITS = ("train", "valid", "test")
MADE_QUESTIONS = {"train": 40, "valid": 4, "test": 4}  # per task
MADE_SEED = 0
TASKS = range(1, 21)


def read_words(path: Path) -> list[str]:
    """Read a text: the words of each line, and ``<eos>`` for its end.

    Parameters
    ----------
    path : Path

    Returns
    -------
    words : list of str

    Raises
    ------
    InputError
        If the file is missing, empty or not UTF-8.
    """
    lines = read_lines(path, "write text, one sentence per line")
    return words_of_lines([line for _, line in lines])


def words_of_lines(lines: Sequence[str]) -> list[str]:
    """Return the words of each line, and ``<eos>`` for its end."""
    return [word for line in lines for word in (*line.split(), END)]


def words_of_text(text: str) -> list[str]:
    """Return the words of a text whose last line continues: no ``<eos>`` is added to it."""
    return words_of_lines(LINE_END.split(text))[:-1]


def made_words(split: str) -> list[str]:
    """Return a text of the bAbI simulator's stories, questions and answers, always the same.

    Parameters
    ----------
    split : {"train", "valid", "test"}

    Returns
    -------
    words : list of str
    """
    lines = []
    for task in TASKS:
        for story in generate(task, MADE_QUESTIONS[split], MADE_SEED, split):
            for line in story:
                words = [*words_of(line.text)]
                if isinstance(line, Question):
                    words += ["?", *line.answer.lower().split(",")]
                lines.append(" ".join(words))
    return words_of_lines(lines)


class Text:
    """A text as word ids, with the words before a position as its context.

    Parameters
    ----------
    ids : (N,) int32 array
    memory_size : int
        M, words of a context.
    vocabulary_size : int
        V.
    xp : module
        Array module of the text.

    Attributes
    ----------
    fingerprint : str
        Differs between texts.
    """

    variants = 1

    def __init__(self, ids: numpy.ndarray, memory_size: int, vocabulary_size: int, xp=numpy):
        self.xp, self.memory_size = xp, memory_size
        self.fingerprint = hashlib.sha256(ids.tobytes()).hexdigest()[:16]
        self._ids, self._before = xp.asarray(ids), xp.arange(1, memory_size + 1)
        self._vocabulary_size = vocabulary_size

    def __len__(self) -> int:
        """Return the number of words."""
        return len(self._ids)

    def batch(self, rows) -> Context:
        """Gather a batch of targets with their contexts.

        Parameters
        ----------
        rows : (B,) integer array
            Positions in the text, from `memory_size` on.

        Returns
        -------
        context : Context
        """
        return self._batches(rows[None])[0]

    def batches(self, rows) -> list[Context]:
        """Gather several batches with one host-device synchronisation.

        Parameters
        ----------
        rows : (n, B) integer array
            Positions of the targets of each batch.

        Returns
        -------
        contexts : list of n Context
            All list as many words as the largest one: the others add words that they do not use.
        """
        cells = self._vocabulary_size + rows.shape[1] * self.memory_size
        return [context for part in split(rows, cells) for context in self._batches(part)]

    def _batches(self, rows):
        context = self._ids[rows[:, :, None] - self._before]  # (n, B, M), the word before first
        flat = context.reshape(len(rows), -1)
        words, slots, _ = renumber(self.xp, flat, self._vocabulary_size)
        return [*map(Context, words, slots.reshape(context.shape), self._ids[rows])]


class TextData(NamedTuple):
    """The texts that a language model is trained and evaluated on.

    Attributes
    ----------
    vocabulary : Vocabulary
    training : Text
    validation, testing : Text or None
        None if there is no text.
    """

    vocabulary: Vocabulary
    training: Text
    validation: Text | None = None
    testing: Text | None = None


def read_texts(folder: Path, name: str) -> dict[str, list[str]]:
    """Read a text's three files, ``NAME.train.txt``, ``.valid.txt`` and ``.test.txt``.

    Parameters
    ----------
    folder : Path
    name : str

    Returns
    -------
    texts : dict of str to list of str
        Words by the file's path, in this order.

    Raises
    ------
    InputError
        If a file is missing or cannot be used.
    """
    paths = [folder / f"{name}.{split}.txt" for split in SPLITS]
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise InputError(
            f"{missing[0]}: there is no such file; {setting('data_name', name)} needs "
            f"{', '.join(path.name for path in paths)} in {setting('data_dir')}; correct one of "
            "the two"
        )
    return {str(path): read_words(path) for path in paths}


def made_texts() -> dict[str, list[str]]:
    """Return three texts of the simulator, by their names in messages."""
    return {f"the simulated {split} text": made_words(split) for split in SPLITS}


def known_words(words: Sequence[str], vocabulary: Vocabulary, where: str) -> list[str]:
    """Replace the words outside a vocabulary by ``<unk>``, if the vocabulary has it.

    Parameters
    ----------
    words : sequence of str
    vocabulary : Vocabulary
    where : str
        Their origin, for the message.

    Returns
    -------
    words : list of str

    Raises
    ------
    InputError
        Naming the words, and the line of the first, if the vocabulary has no ``<unk>``.
    """
    if UNKNOWN in vocabulary:
        return [word if word in vocabulary else UNKNOWN for word in words]
    first = next((n for n, word in enumerate(words) if word not in vocabulary), None)
    if first is not None:
        line = 1 + words[:first].count(END)
        vocabulary.ids(words, f"{where}, from line {line} on")
    return list(words)


def unknown_text(words: Sequence[str], vocabulary: Vocabulary, where: str) -> str | None:
    """Say how many words of a text `known_words` replaces, or return None if it replaces none."""
    count = sum(word not in vocabulary for word in words)
    if not count:
        return None
    verb = "is" if count == 1 else "are"
    return (
        f"{where}: {count:,} of {len(words):,} words ({count / len(words):.0%}) {verb} not in the "
        f"model's vocabulary and read as {UNKNOWN}"
    )


def encode_texts(
    texts: dict[str, list[str]], memory_size: int, xp=numpy, vocabulary: Vocabulary | None = None
) -> TextData:
    """Encode texts as word ids; the vocabulary is that of all of them.

    Parameters
    ----------
    texts : dict of str to list of str
        The words of the training text and, optionally, of the validation and the test text, by the
        text's name in messages.
    memory_size : int
    xp : module
        Array module.
    vocabulary : Vocabulary, optional
        Of a trained model, in place of the texts' own; see `known_words`.

    Returns
    -------
    data : TextData

    Raises
    ------
    InputError
        If a text is too short for the memory, or has unknown words.
    """
    if vocabulary is None:
        vocabulary = Vocabulary((word for words in texts.values() for word in words), nil=False)
    encoded = []
    for name, words in texts.items():
        if len(words) <= memory_size:
            raise InputError(
                f"{name}: {len(words)} words, line ends included, are too few for a memory of "
                f"{memory_size} words; use a smaller {setting('memory_size', flag='mem_size')}"
            )
        ids = numpy.array(vocabulary.ids(known_words(words, vocabulary, name), name), numpy.int32)
        encoded.append(Text(ids, memory_size, len(vocabulary), xp))
    return TextData(vocabulary, *encoded)
