"""Batches as rows of integers, so that a kernel can copy a whole batch by its index."""

from typing import NamedTuple

from kvnet.kernels.parts.bow_arguments import Questions
from kvnet.renumber import renumber_sentences, split

SENTENCES_ROUNDED_TO = 16  # so that other batches fit the same layout


class Layout(NamedTuple):
    """The places of a batch's parts in its record.

    The words of the B queries and of the U different sentences come first, then the sentences in
    the slots as keys and as values (once if they are the same), and the answers. They are followed
    by the slots sorted by sentence and the places sorted by word, each with the starts of each
    sentence's slots or each word's places.

    Attributes
    ----------
    B, U, S, M, V : int
        Questions, different sentences, words per sentence, slots, words of the vocabulary.
    same : bool
        Whether keys are values.
    """

    B: int
    U: int
    S: int
    M: int
    V: int
    same: bool

    @property
    def keys(self) -> int:
        """Where the keys begin."""
        return (self.B + self.U) * self.S

    @property
    def values(self) -> int:
        """Where the values begin."""
        return self.keys if self.same else self.keys + self.B * self.M

    @property
    def answers(self) -> int:
        """Where the answers begin."""
        return self.values + self.B * self.M

    @property
    def key_places(self) -> tuple[int, int]:
        """Where the slots sorted by key begin, and where the starts of each sentence begin."""
        order = self.answers + self.B
        return order, order + self.B * self.M

    @property
    def value_places(self) -> tuple[int, int]:
        """The same for the values."""
        order = self.key_places[1] + self.U + 1
        return self.key_places if self.same else (order, order + self.B * self.M)

    @property
    def word_places(self) -> tuple[int, int]:
        """The same for the words, in each part the queries' before the sentences'."""
        order = self.value_places[1] + self.U + 1
        return order, order + self.keys

    @property
    def size(self) -> int:
        """Integers per record."""
        return self.word_places[1] + 2 * (self.V + 1)


def pack(
    xp, questions: Questions, rows, vocabulary_size: int, at_least: int = 0
) -> tuple[Layout, object]:
    """Gather batches, each with its different sentences once.

    Parameters
    ----------
    xp : module
        Array module.
    questions : Questions
    rows : (n, B) integer array
        The questions of each batch.
    vocabulary_size : int
        V.
    at_least : int
        Least number of sentences that a record has room for.

    Returns
    -------
    layout : Layout
        With room for the sentences of the fullest batch.
    records : (n, layout.size) int32 array
    """
    (n, B), (_, S), (_, M) = rows.shape, questions.sentences.shape, questions.keys.shape
    same, count = questions.values is questions.keys, len(questions.sentences)
    sides = [questions.keys] if same else [questions.keys, questions.values]
    parts = [renumber_sentences(xp, sides, part, count) for part in split(rows, count + B * M)]
    fullest = max(present.shape[1] for present, _ in parts)
    U = max(at_least, -(-fullest // SENTENCES_ROUNDED_TO) * SENTENCES_ROUNDED_TO)
    # Sentences that a batch does not have are the empty one, row 0.
    padded = [xp.pad(present, ((0, 0), (0, U - present.shape[1]))) for present, _ in parts]
    sentences = xp.concatenate([questions.queries[rows], xp.concatenate(padded)], axis=1)
    words = questions.sentences[sentences].reshape(n, -1)
    slots = xp.concatenate([slots for _, slots in parts])  # (n, 1 or 2, B, M)
    by_sentence = [
        part for side in range(len(sides)) for part in _places(xp, slots[:, side].reshape(n, -1), U)
    ]
    queries, memory = (
        _places(xp, some, vocabulary_size) for some in (words[:, : B * S], words[:, B * S :])
    )
    by_word = [part for pair in zip(queries, memory, strict=True) for part in pair]
    records = [words, slots.reshape(n, -1), questions.answers[rows], *by_sentence, *by_word]
    return Layout(B, U, S, M, vocabulary_size, same), xp.concatenate(records, axis=1)


def _places(xp, held, rows):
    """Return each batch's places sorted by the row that they hold, and the start of each row's."""
    n, count = held.shape
    batches = xp.arange(n)[:, None]
    keys = (held + batches * rows).reshape(-1)  # batch after batch
    order = xp.argsort(keys, kind="stable")
    ends = (batches * rows + xp.arange(rows + 1)).reshape(-1)
    starts = xp.searchsorted(keys[order], ends)
    return [(part.reshape(n, -1) - batches * count).astype("int32") for part in (order, starts)]
