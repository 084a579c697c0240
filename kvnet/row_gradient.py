"""A table's gradient where only some rows were used: those rows alone."""

from typing import NamedTuple

import numpy


class RowGradient(NamedTuple):
    """The gradient of a table that is zero but for some rows.

    Attributes
    ----------
    rows : (U,) integer array
        Each different.
    values : (U, E) float array
    """

    rows: numpy.ndarray
    values: numpy.ndarray

    def whole(self, xp, table):
        """Return the gradient as an array of the table's shape.

        Parameters
        ----------
        xp : module
            Array module.
        table : (V, E) float array
            Its shape and dtype count.

        Returns
        -------
        gradient : (V, E) float array
        """
        gradient = xp.zeros_like(table)
        gradient[self.rows] = self.values
        return gradient
