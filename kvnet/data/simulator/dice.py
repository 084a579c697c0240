"""The simulator's randomness: one seeded generator for each task and split."""

import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Dice(random.Random):
    """A seeded generator with the three draws that stories need.

    Seed it with a string: its SHA-512 seeds the generator, so the draws are the same in every
    process and under every ``PYTHONHASHSEED``.
    """

    def pick(self, items: Sequence[Item]) -> Item:
        """Draw one item, each equally likely.

        Parameters
        ----------
        items : sequence

        Returns
        -------
        item : object
        """
        return items[int(self.random() * len(items))]

    def pick_other(self, items: Sequence[Item], but: Item) -> Item:
        """Draw one item that is not `but`, the others equally likely.

        Parameters
        ----------
        items : sequence
            Holds something other than `but`.
        but : object

        Returns
        -------
        item : object
        """
        item = self.pick(items)
        while item == but:
            item = self.pick(items)
        return item

    def happens(self, probability: float) -> bool:
        """Toss a coin that comes up true with a given probability.

        Parameters
        ----------
        probability : float
            0 to 1.

        Returns
        -------
        came_up : bool
        """
        return self.random() < probability
