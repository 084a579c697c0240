"""Examples as arrays of word ids, ready to be cut into batches."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy

from kvnet.data.distinct import in_parts, number_anew
from kvnet.data.example import Example
from kvnet.data.vocabulary import Vocabulary
from kvnet.errors import InputError
from kvnet.models.key_value_memory_network import Batch


class Sizes(NamedTuple):
    """What the arrays of a data set must hold.

    Attributes
    ----------
    sentence_size : int
        S: words of the longest sentence or question.
    memory_size : int
        M: slots.
    """

    sentence_size: int
    memory_size: int


def vocabulary_of(examples: Sequence[Example]) -> Vocabulary:
    """Collect the words of the examples, answers included."""
    sentences = {
        sentence for e in examples for sentence in (e.question, *e.keys, *e.values, (e.answer,))
    }
    return Vocabulary(word for sentence in sentences for word in sentence)


def sizes_of(examples: Sequence[Example], memory_size: int) -> Sizes:
    """Find the longest sentence and the longest story, the latter capped at `memory_size`."""
    longest = max(len(s) for e in examples for s in {e.question, *e.keys, *e.values})
    return Sizes(longest, min(memory_size, max(len(e.keys) for e in examples)))


class Dataset:
    """Encoded examples.

    Each different sentence is held once; a memory slot is the number of its sentence.

    Parameters
    ----------
    examples : sequence of Example
        At least one.
    vocabulary : Vocabulary
    sizes : Sizes
        A longer memory keeps its most recent slots.
    xp : module
        Array module to hold the arrays in.

    Attributes
    ----------
    sentences : (U, S) int32 array
        The different sentences as word ids; row 0 is all nil.
    queries : (N,) int32 array
        Rows of `sentences`.
    keys, values : (N, M) int32 array
        Rows of `sentences`, the most recent in slot 0. The same array where they are equal
        throughout.
    answers : (N,) int32 array
        Word ids; 0 where an example has no answer.

    Raises
    ------
    InputError
        If a word is not in the vocabulary, a sentence too long or a memory empty.
    """

    def __init__(self, examples: Sequence[Example], vocabulary: Vocabulary, sizes: Sizes, xp=numpy):
        numbers = {(): 0}
        rows = [[0] * sizes.sentence_size]

        def number(sentence):
            known = numbers.get(sentence)
            if known is None:
                known = numbers[sentence] = len(rows)
                rows.append(_padded_ids(sentence, vocabulary, sizes.sentence_size))
            return known

        N, M = len(examples), sizes.memory_size
        queries, answers = numpy.zeros(N, numpy.int32), numpy.zeros(N, numpy.int32)
        keys, values = numpy.zeros((N, M), numpy.int32), numpy.zeros((N, M), numpy.int32)
        same = all(e.values is e.keys for e in examples)
        for n, example in enumerate(examples):
            _check_memory(example)
            queries[n] = number(example.question)
            if example.answer:
                (answers[n],) = vocabulary.ids((example.answer,), "answer")
            recent = [number(sentence) for sentence in example.keys[: -M - 1 : -1]]
            keys[n, : len(recent)] = recent
            if not same:
                values[n, : len(recent)] = [number(s) for s in example.values[: -M - 1 : -1]]
        self.xp = xp
        self.sentences = xp.asarray(numpy.array(rows, numpy.int32))
        self.queries, self.answers = xp.asarray(queries), xp.asarray(answers)
        self.keys = xp.asarray(keys)
        self.values = self.keys if same else xp.asarray(values)
        content = [numpy.array(rows, numpy.int32), queries, keys, values, answers]
        self.fingerprint = hashlib.sha256(b"".join(a.tobytes() for a in content)).hexdigest()[:16]

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.answers)

    def batch(self, rows) -> Batch:
        """Gather examples.

        Parameters
        ----------
        rows : (B,) integer array or slice

        Returns
        -------
        batch : Batch
        """
        xp, same = self.xp, self.values is self.keys
        slots = [self.keys[rows]] if same else [self.keys[rows], self.values[rows]]
        # Number the sentences of these slots anew, the empty one first: it has number 0 already.
        everything = xp.concatenate([xp.zeros(1, "int32"), *(s.reshape(-1) for s in slots)])
        present, numbers = xp.unique(everything, return_inverse=True)
        numbers = numbers.reshape(-1)[1:].astype("int32").reshape(len(slots), *slots[0].shape)
        keys = numbers[0]
        values = keys if same else numbers[1]
        query, sentences = self.sentences[self.queries[rows]], self.sentences[present]
        return Batch(query, sentences, keys, values, self.answers[rows])

    def batches(self, rows) -> list[Batch]:
        """Gather several batches, for which a device is waited for once.

        Parameters
        ----------
        rows : (n, B) integer array
            Each batch's examples.

        Returns
        -------
        batches : list of n Batch
            With as many sentences as the fullest has: the others list the empty one again.
        """
        cells = len(self.sentences) + rows.shape[1] * self.keys.shape[1]
        return [batch for part in in_parts(rows, cells) for batch in self._batches(part)]

    def _batches(self, rows):
        present, slots = self.distinct(rows)
        words, sentences = self.sentences[self.queries[rows]], self.sentences[present]
        sides = map(list, slots)  # of a batch; one object if keys and values are the same
        parts = zip(words, sentences, sides, self.answers[rows], strict=True)
        return [Batch(query, memory, s[0], s[-1], answer) for query, memory, s, answer in parts]

    def distinct(self, rows) -> tuple:
        """Give the sentences in the slots of several batches new numbers, the empty one first.

        Parameters
        ----------
        rows : (n, B) integer array

        Returns
        -------
        present : (n, U) int32 array
            Rows of `sentences` by their new numbers, the empty one again where a batch has fewer.
        slots : (n, K, B, M) int32 array
            New numbers: those of the keys, and of the values (K = 2) unless they are the same.
        """
        xp, n = self.xp, len(rows)
        sides = [self.keys] if self.values is self.keys else [self.keys, self.values]
        slots = xp.stack([side[rows] for side in sides], axis=1)
        held = xp.concatenate([xp.zeros((n, 1), "int32"), slots.reshape(n, -1)], axis=1)
        listed, numbers, named = number_anew(xp, held, len(self.sentences))
        present = xp.where(xp.arange(listed.shape[1]) < named, listed, 0)
        return present, numbers[:, 1:].reshape(slots.shape)


def _padded_ids(sentence, vocabulary, size):
    text = " ".join(sentence)
    if len(sentence) > size:
        raise InputError(
            f"{text!r}: {len(sentence)} words, but the model reads sentences of at most {size}; "
            "shorten it"
        )
    return vocabulary.ids(sentence, repr(text)) + [0] * (size - len(sentence))


def _check_memory(example):
    question = " ".join(example.question)
    if not example.keys:
        raise InputError(f"{question!r}: asked of an empty memory; give it at least one slot")
    if len(example.keys) != len(example.values):
        raise InputError(
            f"{question!r}: {len(example.keys)} keys but {len(example.values)} values; "
            "give one value a key"
        )
