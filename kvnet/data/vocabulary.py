"""Words and their ids."""

from collections.abc import Iterable, Sequence

from kvnet.errors import InputError

NAMED = 10  # unknown words in a message


class Vocabulary:
    """The words a model knows, sorted; ids count from 1, since 0 is the nil word that pads.

    Parameters
    ----------
    words : iterable of str
        In any order; repeats count once.
    nil : bool
        Without a nil word ids count from 0.

    Attributes
    ----------
    words : list of str
        ``words[i]`` has id ``i + 1``, or without a nil word ``i``.
    """

    def __init__(self, words: Iterable[str], nil: bool = True):
        self.words = sorted(set(words))
        self._first = int(nil)
        self._ids = {word: number for number, word in enumerate(self.words, start=self._first)}

    def __len__(self) -> int:
        """Count the ids, the nil word's included: V."""
        return len(self.words) + self._first

    def __contains__(self, word: str) -> bool:
        """Whether the word has an id."""
        return word in self._ids

    def ids(self, words: Sequence[str], where: str) -> list[int]:
        """Return the words' ids.

        Parameters
        ----------
        words : sequence of str
        where : str
            What they come from, for the message.

        Returns
        -------
        ids : list of int

        Raises
        ------
        InputError
            Naming the words that are not in the vocabulary.
        """
        unknown = list(dict.fromkeys(word for word in words if word not in self._ids))
        if unknown:
            named = ", ".join(map(repr, unknown[:NAMED]))
            more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
            raise InputError(
                f"{where}: {named}{more} not among the {len(self.words)} words "
                "that the model was trained on; use words of its training text"
            )
        return [self._ids[word] for word in words]

    def word(self, number: int) -> str:
        """Return the word of an id; the nil word is ``"<nil>"``."""
        return self.words[number - self._first] if number >= self._first else "<nil>"
