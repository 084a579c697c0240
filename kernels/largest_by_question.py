"""The best candidate of each question, in one pass."""

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED


@njit(**NOT_INLINED)
def _find(weights, starts, positions):
    for b in range(len(positions)):
        for i in range(starts[b], starts[b + 1]):
            if positions[b] < 0 or weights[i] > weights[positions[b]]:
                positions[b] = i


def largest_by_question(xp, weights, starts):
    """Fused form of `kvnet.operations.largest_by_question`: nothing is sorted.

    Parameters and returns: see `kvnet.operations.largest_by_question`.
    """
    positions = numpy.full(len(starts) - 1, -1)
    _find(numpy.ascontiguousarray(weights), starts, positions)
    return positions
