"""The Euclidean norm, without overflow and underflow of the squares."""

import numpy


def norm(x) -> float:
    """Return the Euclidean norm of an array of any shape.

    Parameters
    ----------
    x : array
        Also of numbers such as 1e-200 or 1e200, whose squares are not floats.
    """
    x = numpy.asarray(x, "float64").ravel()
    largest = float(abs(x).max(initial=0.0))
    if 1e-100 < largest < 1e100:
        return float(numpy.sqrt(x @ x))
    if not 0 < largest < numpy.inf:  # also if it is NaN
        return largest
    return largest * float(numpy.linalg.norm(x / largest))
