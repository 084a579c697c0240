"""What a model computes a step's loss on: questions about memories, or words in their context."""

from typing import NamedTuple

import numpy


class Batch(NamedTuple):
    """Questions about memories, as word ids; 0 is the nil word that pads.

    Each different sentence of the memories is stored once; a slot is a row index.

    Attributes
    ----------
    query : (B, S) integer array
    sentences : (U, S) integer array
        Row 0 is all nil: the sentence of an empty slot.
    keys, values : (B, M) integer array
        Rows of `sentences`; slot 0 is the most recent. One and the same array if every slot's key
        is its value.
    answer : (B,) integer array
    """

    query: numpy.ndarray
    sentences: numpy.ndarray
    keys: numpy.ndarray
    values: numpy.ndarray
    answer: numpy.ndarray

    @classmethod
    def of_words(cls, query, keys, values, answer, xp=numpy) -> "Batch":
        """Make a batch of memories given as words.

        Parameters
        ----------
        query : (B, S) integer NumPy array
        keys, values : (B, M, S) integer NumPy array
            One and the same array if every slot's key is its value.
        answer : (B,) integer NumPy array
        xp : module
            Array module of the batch.

        Returns
        -------
        batch : Batch
        """
        B, M, S = keys.shape
        same = values is keys
        nil = numpy.zeros((1, S), keys.dtype)
        words = [nil, keys.reshape(-1, S)] + ([] if same else [values.reshape(-1, S)])
        sentences, rows = numpy.unique(numpy.concatenate(words), axis=0, return_inverse=True)
        rows = xp.asarray(rows.reshape(-1)[1:].reshape(-1, B, M))  # the nil sentence sorts first
        keys, values = rows[0], rows[-1]
        query, sentences, answer = map(xp.asarray, (query, sentences, answer))
        return cls(query, sentences, keys, keys if same else values, answer)


class Context(NamedTuple):
    """Words to be predicted, and the words before each.

    Each different word of the contexts is stored once; a slot is an index.

    Attributes
    ----------
    words : (U,) integer array
        Word ids, all different.
    slots : (B, M) integer array
        Indices into `words`; slot 0 is the word right before the target.
    target : (B,) integer array
        Word ids.
    """

    words: numpy.ndarray
    slots: numpy.ndarray
    target: numpy.ndarray
