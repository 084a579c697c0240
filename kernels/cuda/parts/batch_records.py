"""Batches as rows of whole numbers, so that a kernel can fetch a whole batch by its number."""

from typing import NamedTuple

from kvnet.renumber import in_parts

ROUNDED_UP_TO = 16  # sentences, so that other batches fit the same layout


class Layout(NamedTuple):
    """Where a record keeps what a batch holds.

    Words of the B queries and of the U different sentences come first, then the sentences in the
    slots as keys, as values (nothing where those are the same), and the answers. Behind them stands
    which slots hold each sentence, and which places each word: places sorted by what they hold, and
    where each sentence's or word's begin.

    Attributes
    ----------
    B, U, S, M, V : int
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
        """Where the keys' slots by sentence begin, and where each sentence's begin is said."""
        order = self.answers + self.B
        return order, order + self.B * self.M

    @property
    def value_places(self) -> tuple[int, int]:
        """The same for the values."""
        order = self.key_places[1] + self.U + 1
        return self.key_places if self.same else (order, order + self.B * self.M)

    @property
    def word_places(self) -> tuple[int, int]:
        """The same for the queries' words, and each behind it for the sentences'."""
        order = self.value_places[1] + self.U + 1
        return order, order + self.keys

    @property
    def size(self) -> int:
        """How many numbers a record has."""
        return self.word_places[1] + 2 * (self.V + 1)


def pack(xp, dataset, rows, vocabulary_size: int, at_least: int = 0) -> tuple[Layout, object]:
    """Gather batches, each with its different sentences once, as `Dataset.batch` does.

    Parameters
    ----------
    xp : module
        Array module.
    dataset : Dataset
    rows : (n, B) integer array
        Questions of every batch.
    vocabulary_size : int
        V.
    at_least : int
        Sentences to make room for.

    Returns
    -------
    layout : Layout
        For as many sentences as the fullest batch has, or some more.
    records : (n, layout.size) int32 array
    """
    n, B = rows.shape
    parts = [dataset.distinct(part) for part in in_parts(rows, len(dataset.sentences))]
    found, S = max(present.shape[1] for present, _ in parts), dataset.sentences.shape[1]
    U = max(at_least, -(-found // ROUNDED_UP_TO) * ROUNDED_UP_TO)
    M, same = dataset.keys.shape[1], dataset.values is dataset.keys
    # Sentences that a batch does not have are the empty one, number 0.
    filled = [xp.pad(present, ((0, 0), (0, U - present.shape[1]))) for present, _ in parts]
    sentences = xp.concatenate([dataset.queries[rows], xp.concatenate(filled)], axis=1)
    words = dataset.sentences[sentences].reshape(n, -1)
    slots = xp.concatenate([slots.reshape(len(slots), -1) for _, slots in parts])
    sides = [slots] if same else [slots[:, : B * M], slots[:, B * M :]]
    by_sentence = [part for side in sides for part in _places(xp, side, U)]
    queries, memory = (
        _places(xp, w, vocabulary_size) for w in (words[:, : B * S], words[:, B * S :])
    )
    by_word = [part for pair in zip(queries, memory, strict=True) for part in pair]
    records = [words, slots, dataset.answers[rows], *by_sentence, *by_word]
    return Layout(B, U, S, M, vocabulary_size, same), xp.concatenate(records, axis=1)


def _places(xp, held, rows):
    """Sort each batch's places by the row they hold; return them, and where each row's begin."""
    n, count = held.shape
    batches = xp.arange(n)[:, None]
    numbers = (held + batches * rows).reshape(-1)  # a batch's rows come after the batch before
    order = xp.argsort(numbers, kind="stable")
    ends = (batches * rows + xp.arange(rows + 1)).reshape(-1)
    starts = xp.searchsorted(numbers[order], ends)
    return [(part.reshape(n, -1) - batches * count).astype("int32") for part in (order, starts)]
