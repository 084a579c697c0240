"""Words and their ids."""

from collections.abc import Iterable, Sequence

from kvnet.errors import InputError


class Vocabulary:
    """The words a model knows, sorted; ids count from 1, since 0 is the nil word that pads.

    Parameters
    ----------
    words : iterable of str
        In any order; repeats count once.

    Attributes
    ----------
    words : list of str
        ``words[i]`` has id ``i + 1``.
    """

    def __init__(self, words: Iterable[str]):
        self.words = sorted(set(words))
        self._ids = {word: number for number, word in enumerate(self.words, start=1)}

    def __len__(self) -> int:
        """Count the ids, the nil word's included: V."""
        return len(self.words) + 1

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
        unknown = [word for word in words if word not in self._ids]
        if unknown:
            raise InputError(
                f"{where}: {', '.join(map(repr, unknown))} not among the {len(self.words)} words "
                "that the model was trained on; use words of its training text"
            )
        return [self._ids[word] for word in words]

    def word(self, number: int) -> str:
        """Return the word of an id; the nil word is ``"<nil>"``."""
        return self.words[number - 1] if number else "<nil>"
