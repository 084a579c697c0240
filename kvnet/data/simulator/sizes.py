"""Events and queries about which object fits inside which."""

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from kvnet.data.simulator.wording import Wording
from kvnet.data.simulator.world import UNKNOWN, Comparison, Solution, World, certain

T = TypeVar("T", bound=NamedTuple)

BOXES = ("box", "chest", "container", "suitcase")
SWEETS = ("chocolate", "box of chocolates")
SIZED_THINGS = (*SWEETS, *BOXES)


class FitsInside(NamedTuple):
    """One object is smaller than another."""

    small: str
    large: str

    wordings = tuple(
        Wording(template, choices={"small": SIZED_THINGS, "large": SIZED_THINGS})
        for template in (
            "The {small} fits inside the {large}.",
            "The {large} is bigger than the {small}.",
        )
    )

    def apply(self, world: World, line: int) -> None:
        """Store the comparison."""
        world.comparisons.append(Comparison(line, self.small, self.large))


class DoesFit(NamedTuple):
    """The question whether one object fits in another, or whether the other one is bigger."""

    small: str
    large: str

    wordings = tuple(
        Wording(template, choices={"small": SIZED_THINGS, "large": SIZED_THINGS})
        for template in (
            "Does the {small} fit in the {large}?",
            "Is the {large} bigger than the {small}?",
        )
    )

    def solve(self, world: World) -> Solution:
        """Return yes if a chain of comparisons leads from small to large, no for the reverse.

        The supporting lines of a yes start at the large end, those of a no at the small end.
        """
        if (lines := _chain_of_two(world, self.small, self.large, downwards=True)) is not None:
            return certain("yes", *lines)
        if (lines := _chain_of_two(world, self.large, self.small, downwards=False)) is not None:
            return certain("no", *lines)
        if (lines := _shortest_chain(world, self.small, self.large)) is not None:
            return certain("yes", *reversed(lines))
        if (lines := _shortest_chain(world, self.large, self.small)) is not None:
            return certain("no", *lines)
        return UNKNOWN


def chain_partner(comparisons: Iterable[T], first: T, downwards: bool) -> T | None:
    """Return the comparison that forms a chain of two with `first`, as the stories choose it.

    The only candidate is the first other comparison that contains the middle object. If it does not
    continue in the same direction, there is no chain.

    Parameters
    ----------
    comparisons : iterable of Comparison or FitsInside
    first : Comparison or FitsInside
        One of `comparisons`.
    downwards : bool
        If True the chain continues to a smaller object, else to a larger one.

    Returns
    -------
    comparison : Comparison or FitsInside, or None
    """
    middle = first.small if downwards else first.large
    for other in comparisons:
        if other is not first and middle in (other.small, other.large):
            return other if middle == (other.large if downwards else other.small) else None
    return None


def _chain_of_two(world: World, small: str, large: str, downwards: bool) -> tuple[int, int] | None:
    """Return the lines of a chain of two, as the stories choose it.

    Of several chains, return the one whose starting comparison is in the latest line.
    """
    for first in reversed(world.comparisons):
        if (first.large == large) if downwards else (first.small == small):
            other = chain_partner(world.comparisons, first, downwards)
            if other and ((other.small == small) if downwards else (other.large == large)):
                return first.line, other.line
    return None


def _shortest_chain(world: World, small: str, large: str) -> list[int] | None:
    """Return the lines of the shortest chain from `small` to `large`, or None."""
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
