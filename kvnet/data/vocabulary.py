"""The vocabulary: words and their ids."""

from collections.abc import Iterable, Mapping, Sequence

from kvnet.errors import InputError, shown

MAX_LISTED = 10
"""Number of unknown words that an error message lists."""


class Vocabulary:
    """The words that a model knows, sorted. Ids start at 1; id 0 is the nil word, used as padding.

    Parameters
    ----------
    words : iterable of str
        In any order. Duplicates are dropped.
    nil : bool
        Whether id 0 is the nil word. If False, word ids start at 0.
    spelling : mapping of str to str, optional
        How words are shown that are not shown as they are.

    Attributes
    ----------
    words : list of str
        The word ``words[i]`` has id ``i + 1``, or id ``i`` without a nil word.
    spelling : dict of str to str
    """

    def __init__(
        self, words: Iterable[str], nil: bool = True, spelling: Mapping[str, str] | None = None
    ):
        self.words = sorted(set(words))
        self.spelling = dict(spelling or {})
        self._first_id = int(nil)
        self._ids = {word: word_id for word_id, word in enumerate(self.words, self._first_id)}

    def __len__(self) -> int:
        """Return V, the number of ids, including the nil word's."""
        return len(self.words) + self._first_id

    def __contains__(self, word: str) -> bool:
        """Return whether the word has an id."""
        return word in self._ids

    def ids(self, words: Sequence[str], where: str) -> list[int]:
        """Return the ids of words.

        Parameters
        ----------
        words : sequence of str
        where : str
            Source of the words, named in the error message.

        Returns
        -------
        ids : list of int

        Raises
        ------
        InputError
            If a word is not in the vocabulary. The message lists up to ten such words.
        """
        unknown = list(dict.fromkeys(word for word in words if word not in self._ids))
        if unknown:
            listed = ", ".join(map(shown, unknown[:MAX_LISTED]))
            rest = f" and {len(unknown) - MAX_LISTED} more" if len(unknown) > MAX_LISTED else ""
            verb = "is" if len(unknown) == 1 else "are"
            raise InputError(
                f"{where}: {listed}{rest} {verb} not among the {len(self.words)} words of the "
                "model's vocabulary; use words of its training text"
            )
        return [self._ids[word] for word in words]

    def word(self, word_id: int) -> str:
        """Return the word of an id; the nil word is ``"<nil>"``."""
        return self.words[word_id - self._first_id] if word_id >= self._first_id else "<nil>"

    def spelled(self, word_id: int) -> str:
        """Return the word of an id as the training text writes it."""
        word = self.word(word_id)
        return self.spelling.get(word, word)
