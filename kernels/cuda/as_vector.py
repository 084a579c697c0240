"""Named arrays as one vector, in one launch for eight of them."""

from kvnet.kernels.cuda.parts.compilation import blocks, launch

ARRAYS_A_LAUNCH = 8


def as_vector(xp, arrays):
    """Do what `kvnet.parameter_vector.as_vector` does.

    Parameters and returns: see there.
    """
    parts = [xp.ascontiguousarray(array) for array in arrays.values()]
    vector = xp.empty(sum(part.size for part in parts), parts[0].dtype)
    start = 0
    for first in range(0, len(parts), ARRAYS_A_LAUNCH):
        some = parts[first : first + ARRAYS_A_LAUNCH]
        arguments, end = [vector, start], 0
        for part in some:
            end += part.size
            arguments += [part, end]
        arguments += [vector, 0] * (ARRAYS_A_LAUNCH - len(some))  # no number is below 0
        launch(xp, vector.dtype, "put_together", blocks(end), arguments)
        start += end
    return vector
