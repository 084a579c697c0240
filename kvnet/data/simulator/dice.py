"""The simulator's random numbers: one seeded generator per task and split."""

import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Dice(random.Random):
    """A seeded random number generator with the three draws that stories need.

    Seed it with a string. Python seeds the generator with the SHA-512 of the string, so the draws
    are the same in every process and for every ``PYTHONHASHSEED``.
    """

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one item drawn uniformly.

        Parameters
        ----------
        items : sequence
            At least one item.

        Returns
        -------
        item : object
        """
        return items[int(self.random() * len(items))]

    def pick_other(self, items: Sequence[Item], excluded: Item) -> Item:
        """Return one item drawn uniformly from those that differ from `excluded`.

        Parameters
        ----------
        items : sequence
            At least one item that differs from `excluded`.
        excluded : object

        Returns
        -------
        item : object
        """
        item = self.pick(items)
        while item == excluded:
            item = self.pick(items)
        return item

    def chance(self, probability: float) -> bool:
        """Return True with the given probability.

        Parameters
        ----------
        probability : float
            From 0 to 1.

        Returns
        -------
        outcome : bool
        """
        return self.random() < probability
