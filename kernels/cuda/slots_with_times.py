"""The times of a story's slots, one thread block per question; gaps are drawn in the kernel."""

from functools import cache
from math import ceil

import numpy

from kvnet.kernels.cuda.parts.launch import as_int32, fits_shared_memory, launch
from kvnet.kernels.cuda.parts.philox import philox_key, purpose_number
from kvnet.operations.slots_with_times import PURPOSE, largest_span
from kvnet.operations.slots_with_times import slots_with_times as textbook
from kvnet.operations.uniform import uniform


@cache
def _gap_counts(xp, slots, share):
    """Return how many numbers of gaps are possible for a story of 0, 1, .. `slots` sentences."""
    counts = [ceil(share * n) + 1 for n in range(slots + 1)]
    return xp.asarray(numpy.array(counts, numpy.int32))


def slots_with_times(xp, keys, sentences, last, share, random_state, step, draw=uniform):
    """CUDA form of `kvnet.operations.slots_with_times`, in integers: the same bits.

    The textbook, if a story is too long for a block. `draw` is for the textbook only.

    Parameters, returns and references: see there.
    """
    (B, M), has_gaps = keys.shape, step is not None and share > 0
    most = largest_span(M, share) if has_gaps else 0
    if not fits_shared_memory(2 * most, "float64"):
        return textbook(xp, keys, sentences, last, share, random_state, step, draw)
    rows, counts = xp.empty((B, M, 2), "int32"), _gap_counts(xp, M, share)
    arguments = {"keys": as_int32(xp, keys), "M": M, "sentences": sentences, "last": last}
    arguments |= {"most": most, "gap_counts": counts, "purpose": purpose_number(PURPOSE)}
    arguments |= philox_key(random_state) | {"step": numpy.int64(step or 0), "rows": rows}
    launch(xp, "float32", "slots_with_times", B, shared_size=2 * most, **arguments)
    return rows
