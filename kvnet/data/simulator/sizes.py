"""What fits inside what: what can be said of it and asked about it."""

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Comparison, Solution, World, certain

T = TypeVar("T", bound=NamedTuple)

BOXES = ("box", "chest", "container", "suitcase")
SWEETS = ("chocolate", "box of chocolates")
SIZED = (*SWEETS, *BOXES)


class FitsInside(NamedTuple):
    """One thing is smaller than another."""

    small: str
    large: str

    wordings = tuple(
        Wording(template, among={"small": SIZED, "large": SIZED})
        for template in (
            "The {small} fits inside the {large}.",
            "The {large} is bigger than the {small}.",
        )
    )

    def happen(self, world: World, line: int) -> None:
        """Note the comparison."""
        world.comparisons.append(Comparison(line, self.small, self.large))


class DoesFit(NamedTuple):
    """Whether one thing fits in another; "is the other bigger?" asks the same."""

    small: str
    large: str

    wordings = tuple(
        Wording(template, among={"small": SIZED, "large": SIZED})
        for template in (
            "Does the {small} fit in the {large}?",
            "Is the {large} bigger than the {small}?",
        )
    )

    def solve(self, world: World) -> Solution:
        """Look for a chain of comparisons from the small to the large, then the other way.

        A yes is told from the large end down, a no from the small end up.
        """
        if (lines := _told_chain(world, self.small, self.large, from_top=True)) is not None:
            return certain("yes", *lines)
        if (lines := _told_chain(world, self.large, self.small, from_top=False)) is not None:
            return certain("no", *lines)
        if (lines := _any_chain(world, self.small, self.large)) is not None:
            return certain("yes", *reversed(lines))
        if (lines := _any_chain(world, self.large, self.small)) is not None:
            return certain("no", *lines)
        return UNKNOWN


def chained(comparisons: Iterable[T], told: T, from_top: bool) -> T | None:
    """Return the comparison that makes a chain with one of them, as the stories find it.

    That is the first other one about the thing in the middle, and only that: if it does not go on
    in the same direction, there is no chain.

    Parameters
    ----------
    comparisons : iterable of Comparison or FitsInside
    told : Comparison or FitsInside
        One of them.
    from_top : bool
        Whether the chain shall go on to something smaller still, or larger still.

    Returns
    -------
    comparison : Comparison or FitsInside, or None
    """
    middle = told.small if from_top else told.large
    for other in comparisons:
        if other is not told and middle in (other.small, other.large):
            return other if middle == (other.large if from_top else other.small) else None
    return None


def _told_chain(world: World, small: str, large: str, from_top: bool) -> tuple[int, int] | None:
    """Return the lines of a chain of two as the stories make them.

    One of several is the one whose comparison of the end told first comes latest.
    """
    for told in reversed(world.comparisons):
        if (told.large == large) if from_top else (told.small == small):
            other = chained(world.comparisons, told, from_top)
            if other and ((other.small == small) if from_top else (other.large == large)):
                return told.line, other.line
    return None


def _any_chain(world: World, small: str, large: str) -> list[int] | None:
    """Return the lines of the shortest chain, the smallest thing's first."""
    chains = {small: []}
    frontier = [small]
    while frontier and large not in chains:
        reached = []
        for thing in frontier:
            for line, low, high in world.comparisons:
                if low == thing and high not in chains:
                    chains[high] = [*chains[thing], line]
                    reached.append(high)
        frontier = reached
    return chains.get(large)
