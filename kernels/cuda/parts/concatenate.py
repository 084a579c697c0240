"""Concatenate arrays, several per launch."""

from collections.abc import Sequence

from kvnet.kernels.cuda.parts.constants import ARRAYS_PER_LAUNCH
from kvnet.kernels.cuda.parts.launch import blocks_for, launch, numbered


def concatenate(xp, arrays: Sequence):
    """Return the elements of arrays as one vector; `ARRAYS_PER_LAUNCH` arrays share a launch."""
    arrays = [xp.ascontiguousarray(array) for array in arrays]
    vector = xp.empty(sum(array.size for array in arrays), arrays[0].dtype)
    start = 0
    for first in range(0, len(arrays), ARRAYS_PER_LAUNCH):
        sections, end = [], 0
        for array in arrays[first : first + ARRAYS_PER_LAUNCH]:
            end += array.size
            sections.append({"section": array, "end": end})
        arguments = numbered(sections, ARRAYS_PER_LAUNCH) | {"vector": vector, "start": start}
        launch(xp, vector.dtype, "concatenate", blocks_for(end), **arguments)
        start += end
    return vector
