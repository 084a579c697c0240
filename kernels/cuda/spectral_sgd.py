"""Gradient descent with bounded spectral norms, which no number leaves the GPU for."""

from functools import cache

import numpy

from kvnet.kernels.cuda.parts.compilation import launch
from kvnet.kernels.cuda.noisy_adam import chunks_of, launch_squares
from kvnet.parameter_vector import sections_of

SQUARINGS = {"float32": 26, "float64": 54}  # until the rank's share of the norm is lost in rounding


@cache
def _tables_and_owners(xp, names_and_shapes):
    """Return what the kernels take of each matrix, and which matrix each chunk is of."""
    shapes = dict(names_and_shapes)
    sections = tuple(sections_of(shapes).values())
    chunks = chunks_of(xp, sections)
    rows, owners = [], []
    for n, ((start, stop), shape) in enumerate(zip(sections, shapes.values(), strict=True)):
        count = len(chunks_of(xp, ((start, stop),)))
        rows.append((start, *shape, len(owners), len(owners) + count))
        owners += [n] * count
    tables, owners = (xp.asarray(numpy.array(a, numpy.int32)) for a in (rows, owners))
    return chunks, tables, owners


def spectral_sgd(xp, theta, gradient, shapes, learning_rate, max_norm):
    """Do what `kvnet.updates.spectral_sgd` does, in three launches.

    Parameters: see there.
    """
    dtype, count = theta.dtype, len(shapes)
    chunks, tables, owners = _tables_and_owners(xp, tuple(shapes.items()))
    squares, scales = xp.empty((1, 2, len(chunks)), dtype), xp.empty(count, dtype)
    launch_squares(xp, theta, gradient, 0.0, chunks, squares)
    widest = max(width for _, width in shapes.values())
    room = xp.empty((count, 2, widest, widest), dtype)
    arguments = gradient, tables, squares, float(max_norm), SQUARINGS[dtype.name], widest, room
    launch(xp, dtype, "spectral_scales", count, (*arguments, scales))
    arguments = theta, gradient, chunks, owners, scales, float(learning_rate)
    launch(xp, dtype, "descend_scaled", len(chunks), arguments)
