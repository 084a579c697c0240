"""What is worked out once for an array, not once for every call."""

from collections.abc import Callable
from functools import wraps
from weakref import finalize


def once_an_array(function: Callable) -> Callable:
    """Keep what a function of an array module and an array returned, as long as the array lives.

    Batches that come again every epoch bring the same arrays. Nobody changes them.

    Parameters
    ----------
    function : callable
        What it returns must not hold the array.

    Returns
    -------
    function : callable
    """
    kept = {}

    @wraps(function)
    def call(xp, array, *more):
        key = id(array), *more
        if key not in kept:
            kept[key] = function(xp, array, *more)
            finalize(array, kept.pop, key).atexit = False
        return kept[key]

    return call
