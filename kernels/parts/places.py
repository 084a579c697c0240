"""Arrays with a place per entity of a base, for sets that need no clearing."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy


class Places:
    """A stock of arrays with an element per entity, with any content.

    A set of the entities that a question reaches is a list of them and the place of each in the
    list (Briggs and Torczon 1993, "An efficient representation for sparse sets"). It costs what it
    holds, not what the base holds, as long as the array is not made for every question.
    """

    def __init__(self):
        self._free = []

    @contextmanager
    def of(self, count: int) -> Iterator[numpy.ndarray]:
        """Lend an int32 array of at least `count` elements to one thread.

        Parameters
        ----------
        count : int
            Entities of the base.
        """
        try:
            place = self._free.pop()
        except IndexError:
            place = numpy.zeros(0, numpy.int32)
        if len(place) < count:
            place = numpy.zeros(count, numpy.int32)
        yield place
        self._free.append(place)
