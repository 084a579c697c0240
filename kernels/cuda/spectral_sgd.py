"""Gradient descent with bounded spectral norms, without a copy between host and device."""

from functools import cache

import numpy

from kvnet.kernels.cuda.parts.launch import launch
from kvnet.kernels.cuda.parts.update import chunk_squares, chunks_of
from kvnet.parameter_vector import sections_of

SQUARINGS = {"float32": 26, "float64": 54}  # after which the rank changes the norm by rounding only


@cache
def _tables_and_owners(xp, names_and_shapes):
    """Return the chunks, the tables of the kernels, the matrix of each chunk, and the widest."""
    shapes = dict(names_and_shapes)
    sections, rows, owners = tuple(sections_of(shapes).values()), [], []
    for n, ((start, stop), shape) in enumerate(zip(sections, shapes.values(), strict=True)):
        count = len(chunks_of(xp, ((start, stop),)))
        height, width = (*shape, 1)[:2]  # a vector is one column
        rows.append((start, height, width, len(owners), len(owners) + count))
        owners += [n] * count
    widest = max(width for _, _, width, _, _ in rows)
    tables, owners = (xp.asarray(numpy.array(a, numpy.int32)) for a in (rows, owners))
    return chunks_of(xp, sections), tables, owners, widest


def spectral_sgd(xp, theta, gradient, shapes, learning_rate, max_norm):
    """CUDA form of `kvnet.updates.spectral_sgd`, in three launches.

    Parameters: see there.
    """
    dtype, matrices = theta.dtype, len(shapes)
    chunks, tables, owners, widest = _tables_and_owners(xp, tuple(shapes.items()))
    scales = xp.empty(matrices, dtype)
    arguments = {"squares": chunk_squares(xp, theta, gradient, 0.0, chunks), "tables": tables}
    arguments |= {"max_norm": float(max_norm), "squarings": SQUARINGS[dtype.name]}
    arguments |= {"widest": widest, "scratch": xp.empty((matrices, 2, widest, widest), dtype)}
    shared = {"gradient": gradient, "scales": scales}
    launch(xp, dtype, "spectral_scales", matrices, **shared, **arguments)
    arguments = {"theta": theta, "chunks": chunks, "owners": owners, "rate": float(learning_rate)}
    launch(xp, dtype, "descend_scaled", len(chunks), **shared, **arguments)
