"""Examples as arrays of word ids, ready to be cut into batches."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy

from kvnet.data.batch import Batch
from kvnet.data.example import Example
from kvnet.data.story import answer_of, tokens_of
from kvnet.data.vocabulary import Vocabulary
from kvnet.errors import InputError, setting, shown
from kvnet.renumber import renumber_sentences, split


class Sizes(NamedTuple):
    """The sizes of the arrays of a data set.

    Attributes
    ----------
    sentence_size : int
        S, words of the longest sentence or question.
    memory_size : int
        M, slots.
    """

    sentence_size: int
    memory_size: int


def vocabulary_of(examples: Sequence[Example]) -> Vocabulary:
    """Return the vocabulary of some examples, answers included."""
    sentences = {
        sentence for e in examples for sentence in (e.question, *e.keys, *e.values, (e.answer,))
    }
    words = (word for sentence in sentences for word in sentence)
    return Vocabulary(words, spelling=spelling_of(examples))


def spelling_of(examples: Sequence[Example]) -> dict[str, str]:
    """Return how the words are written that some examples do not write in lower case.

    An answer is spelled as most examples spell it; another word in lower case if any text does, and
    otherwise as most texts do.

    Returns
    -------
    spelling : dict of str to str
        By the word in lower case.
    """
    texts = {text for example in examples for text in example.texts}
    in_texts, of_answers = defaultdict(Counter), defaultdict(Counter)
    for token in (token for text in texts for token in tokens_of(text)):
        in_texts[token.lower()][token] += 1
    for answer in (answer_of(e.texts[-1]) for e in examples if e.answer and e.texts):
        of_answers[answer.lower()][answer] += 1
    in_texts = {word: counts for word, counts in in_texts.items() if word not in counts}
    spelling = {word: _most_common(counts) for word, counts in (in_texts | of_answers).items()}
    return {word: spelled for word, spelled in spelling.items() if spelled != word}


def _most_common(counts):
    return max(
        sorted(counts), key=counts.__getitem__
    )  # the first in order of those with equal counts


def sizes_of(examples: Sequence[Example], memory_size: int) -> Sizes:
    """Return the longest sentence and the longest memory, the latter at most `memory_size`."""
    longest = max(len(s) for e in examples for s in {e.question, *e.keys, *e.values})
    return Sizes(longest, min(memory_size, max(len(e.keys) for e in examples)))


def cut_text(examples: Sequence[Example], memory_size: int) -> str | None:
    """Say how many memories are longer than a number of slots, or return None if none is.

    Parameters
    ----------
    examples : sequence of Example
    memory_size : int
        Slots that are kept of a longer memory, the most recent ones.

    Returns
    -------
    text : str or None
        With the number of memories, the longest one and the limit.
    """
    longer = [len(e.keys) for e in examples if len(e.keys) > memory_size]
    if not longer:
        return None
    kept = f"{setting('memory_size', memory_size)} keeps the most recent slots of each"
    return (
        f"{len(longer):,} of {len(examples):,} questions have a memory of more than {memory_size} "
        f"slots, up to {max(longer)}; {kept}"
    )


def check_example(example: Example) -> None:
    """Check that an example has a question and a memory whose slots have words.

    Parameters
    ----------
    example : Example

    Raises
    ------
    InputError
    """
    question = " ".join(example.question)
    if not example.question:
        written = f" ({shown(example.texts[0])})" if example.texts else ""
        raise InputError(f"has no question{written}; give one with a word in it")
    if not example.keys:
        raise InputError(f"{shown(question)}: asked of an empty memory; give it at least one slot")
    if len(example.keys) != len(example.values):
        raise InputError(
            f"{shown(question)}: {len(example.keys)} keys but {len(example.values)} values; "
            "give one value per key"
        )
    if () in example.keys or () in example.values:
        side, name = (example.keys, "key") if () in example.keys else (example.values, "value")
        raise InputError(
            f"{shown(question)}: the {name} of slot {side.index(()) + 1} of {len(side)} has no "
            "word; give it one, or leave the slot out"
        )


def check_words(example: Example, vocabulary: Vocabulary, sentence_size: int) -> None:
    """Check that a model can read an example; see `Dataset.of_examples` for the errors."""
    check_example(example)
    for sentence in dict.fromkeys((example.question, *example.keys, *example.values)):
        _word_ids(sentence, vocabulary, sentence_size)


class Dataset:
    """Examples as arrays of word ids.

    Each different sentence is stored once; a memory slot is the row index of its sentence.

    Parameters
    ----------
    sentences : (U, S) int32 array
        The different sentences as word ids; row 0 is all nil.
    queries : (N,) int32 array
        Rows of `sentences`.
    keys, values : (N, M) int32 array
        Rows of `sentences`, the most recent in slot 0. One and the same array if they are equal
        throughout.
    answers : (N,) int32 array
        Word ids; 0 where an example has no answer.
    xp : module
        Array module to store the arrays in; the parameters are NumPy arrays.

    Attributes
    ----------
    sentences, queries, keys, values, answers
        The parameters, as arrays of `xp`.
    fingerprint : str
        Differs between data sets.
    variants : int
        In how many variants it has the questions, one variant after another. An epoch of a training
        has one of them.
    """

    variants = 1

    def __init__(self, sentences, queries, keys, values, answers, xp=numpy):
        arrays = sentences, queries, keys, values, answers
        self.fingerprint = hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()[:16]
        self.xp, self.sentences, self.queries = xp, xp.asarray(sentences), xp.asarray(queries)
        self.keys = xp.asarray(keys)
        self.values = self.keys if values is keys else xp.asarray(values)
        self.answers = xp.asarray(answers)

    @classmethod
    def of_examples(
        cls, examples: Sequence[Example], vocabulary: Vocabulary, sizes: Sizes, xp=numpy
    ) -> "Dataset":
        """Encode examples.

        Parameters
        ----------
        examples : sequence of Example
            At least one.
        vocabulary : Vocabulary
        sizes : Sizes
            A longer memory keeps its most recent slots.
        xp : module
            Array module to store the arrays in.

        Returns
        -------
        dataset : Dataset

        Raises
        ------
        InputError
            If a word is not in the vocabulary, a sentence is too long, or an example has no
            question or no memory.
        """
        table = _SentenceTable(vocabulary, sizes.sentence_size)
        N, M = len(examples), sizes.memory_size
        queries, answers = numpy.zeros(N, numpy.int32), numpy.zeros(N, numpy.int32)
        keys = numpy.zeros((N, M), numpy.int32)
        same = all(e.values is e.keys for e in examples)
        values = keys if same else numpy.zeros((N, M), numpy.int32)
        for n, example in enumerate(examples):
            check_example(example)
            queries[n] = table.row_of(example.question)
            if example.answer:
                (answers[n],) = vocabulary.ids((example.answer,), "answer")
            for slots, side in ((keys, example.keys), (values, example.values))[: 1 if same else 2]:
                recent = side[: -M - 1 : -1]
                slots[n, : len(recent)] = [table.row_of(sentence) for sentence in recent]
        return cls(table.as_array(), queries, keys, values, answers, xp)

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.answers)

    @property
    def _sides(self):
        return [self.keys] if self.values is self.keys else [self.keys, self.values]

    def batch(self, rows) -> Batch:
        """Gather a batch.

        Parameters
        ----------
        rows : (B,) integer array
            Its examples.

        Returns
        -------
        batch : Batch
            With the sentences of its own memories.
        """
        return self._batches(rows[None])[0]

    def batches(self, rows) -> list[Batch]:
        """Gather several batches with one host-device synchronisation.

        Parameters
        ----------
        rows : (n, B) integer array
            The examples of each batch.

        Returns
        -------
        batches : list of n Batch
            All have as many sentences as the largest one; the others repeat the empty sentence.
        """
        cells = len(self.sentences) + rows.shape[1] * self.keys.shape[1]
        return [batch for part in split(rows, cells) for batch in self._batches(part)]

    def _batches(self, rows):
        present, slots = renumber_sentences(self.xp, self._sides, rows, len(self.sentences))
        queries, sentences = self.sentences[self.queries[rows]], self.sentences[present]
        sides = map(list, slots)  # of a batch; one array if keys and values are the same
        parts = zip(queries, sentences, sides, self.answers[rows], strict=True)
        return [Batch(query, memory, s[0], s[-1], answer) for query, memory, s, answer in parts]

    def batch_without_renumbering(self, rows) -> Batch:
        """Gather a batch that has all sentences of the data set, without a synchronisation.

        Parameters
        ----------
        rows : (B,) integer array or slice
            Its examples.

        Returns
        -------
        batch : Batch
        """
        keys, *values = (side[rows] for side in self._sides)
        query, answer = self.sentences[self.queries[rows]], self.answers[rows]
        return Batch(query, self.sentences, keys, values[0] if values else keys, answer)


class _SentenceTable:
    """Different sentences, in the order in which they are first asked for, as padded word ids."""

    def __init__(self, vocabulary, size):
        self._vocabulary, self._size = vocabulary, size
        self._rows, self._ids = {(): 0}, [[0] * size]

    def row_of(self, sentence):
        """Return the row of a sentence, adding it if it is new."""
        row = self._rows.get(sentence)
        if row is None:
            row = self._rows[sentence] = len(self._ids)
            ids = _word_ids(sentence, self._vocabulary, self._size)
            self._ids.append(ids + [0] * (self._size - len(ids)))
        return row

    def as_array(self):
        """Return all sentences, (U, S) int32."""
        return numpy.array(self._ids, numpy.int32)


def _word_ids(sentence, vocabulary, size):
    if len(sentence) > size:
        raise InputError(
            f"{shown(' '.join(sentence))}: {len(sentence)} words, but the model reads sentences of "
            f"at most {size}; shorten it"
        )
    return vocabulary.ids(sentence, shown(" ".join(sentence)))
