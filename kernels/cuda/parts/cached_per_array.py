"""Cache a function's result for as long as its array lives."""

from collections.abc import Callable
from functools import wraps
from weakref import finalize


def cached_per_array(function: Callable) -> Callable:
    """Cache the results of a function of an array module, an array and hashable arguments.

    Batches that recur every epoch are the same arrays. They must not change, nor the results.

    Parameters
    ----------
    function : callable
        Its result must not refer to the array.

    Returns
    -------
    function : callable
    """
    results = {}

    @wraps(function)
    def call(xp, array, *arguments):
        key = id(array), *arguments
        if key not in results:
            results[key] = function(xp, array, *arguments)
            finalize(array, results.pop, key).atexit = False
        return results[key]

    return call
