"""Gradient descent with bounded spectral norms, without a copy between host and device."""

from functools import cache

import numpy

from kvnet.kernels.cuda.parts.launch import launch
from kvnet.kernels.cuda.parts.update import chunk_squares, chunks_of
from kvnet.parameter_vector import sections_of

SQUARINGS = {"float32": 26, "float64": 54}  # after which the rank changes the norm by rounding only


@cache
def _tables_and_owners(xp, names_and_shapes):
    """Return the chunks, what the kernels need of each matrix, and the matrix of each chunk."""
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
    """CUDA form of `kvnet.updates.spectral_sgd`, in three launches.

    Parameters: see there.
    """
    dtype, matrices = theta.dtype, len(shapes)
    chunks, tables, owners = _tables_and_owners(xp, tuple(shapes.items()))
    widest, scales = max(width for _, width in shapes.values()), xp.empty(matrices, dtype)
    launch(
        xp,
        dtype,
        "spectral_scales",
        matrices,
        gradient=gradient,
        tables=tables,
        squares=chunk_squares(xp, theta, gradient, 0.0, chunks),
        max_norm=float(max_norm),
        squarings=SQUARINGS[dtype.name],
        widest=widest,
        scratch=xp.empty((matrices, 2, widest, widest), dtype),
        scales=scales,
    )
    launch(
        xp,
        dtype,
        "descend_scaled",
        len(chunks),
        theta=theta,
        gradient=gradient,
        chunks=chunks,
        owners=owners,
        scales=scales,
        rate=float(learning_rate),
    )
