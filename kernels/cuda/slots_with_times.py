"""Times of a story's slots, a question a block of threads, blanks drawn where they are used."""

from functools import cache
from math import ceil

import numpy

from kvnet.operations import slots_with_times as slot_times
from kvnet.counter_random import WORD
from kvnet.kernels.cuda.parts.compilation import SHARED_BYTES, launch, numbers
from kvnet.kernels.cuda.uniform import purpose_number


@cache
def _blank_counts(xp, slots, share):
    """Return, for a story of each length up to so many slots, how many numbers of blanks it has."""
    counts = [ceil(share * n) + 1 for n in range(slots + 1)]
    return xp.asarray(numpy.array(counts, numpy.int32))


def slots_with_times(xp, keys, sentences, last, share, random_state, step, draw=None):
    """Do what `kvnet.operations.slots_with_times.slots_with_times` does, in whole numbers: the same bits.

    Parameters and returns: see there. Too large a memory is left to the textbook.
    """
    (B, M), spread = keys.shape, step is not None and share > 0
    most = slot_times.most_places(M, share) if spread else 0
    if 2 * most * numpy.dtype("float64").itemsize > SHARED_BYTES:
        inputs = keys, sentences, last, share, random_state, step
        return slot_times.slots_with_times(xp, *inputs, *([draw] if draw else []))
    rows = xp.empty((B, M, 2), "int32")
    key = numpy.uint32(random_state & WORD), numpy.uint32(random_state >> 32)
    arguments = numbers(xp, keys), M, sentences, last, most, _blank_counts(xp, M, share)
    arguments += purpose_number(slot_times.PURPOSE), *key, numpy.int64(step or 0), rows
    launch(xp, "float32", "slots_with_times", B, arguments, 2 * most)
    return rows
