"""Named arrays as one vector, several of them per launch."""

from kvnet.kernels.cuda.parts.concatenate import concatenate


def as_vector(xp, arrays):
    """CUDA form of `kvnet.updates.as_vector`.

    Parameters and returns: see there.
    """
    return concatenate(xp, list(arrays.values()))
