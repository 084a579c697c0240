"""Entries that can be moved together, because no output depends on two of them."""

from collections.abc import Iterator

import numpy

from kvnet.gradcheck.complex_step import steps
from kvnet.gradcheck.moved_function import Bundle, MovedFunction
from kvnet.gradcheck.random_numbers import random_factors

FEWEST = 12  # entries of a leaf for which a search is worth while
PROBE = 2.0**-7  # step of a probe by differences, times the scale


def bundles_of(
    moved: MovedFunction, leaf_index: int, by_complex_step: bool, rng: numpy.random.Generator
) -> list[Bundle]:
    """Divide the entries of a leaf into bundles.

    The derivatives by all entries of a bundle are computed in one forward pass. For an elementwise
    function one pass is enough; for a function of the rows of a batch, one per entry of a row.

    Parameters
    ----------
    moved : MovedFunction
    leaf_index : int
    by_complex_step : bool
        Whether the dependence is found by complex steps, which is exact, or by differences.
    rng : numpy.random.Generator

    Returns
    -------
    bundles : list of Bundle
        Every entry is in one of them; single entries if no output depends on few of them.

    References
    ----------
    Curtis, Powell and Reid 1974, "On the estimation of sparse Jacobian matrices".
    """
    count = moved.x[leaf_index].size
    if count >= FEWEST and moved.y.size > 1:
        for blocks in _partitions(moved.x[leaf_index].shape):
            owners = _owners(moved, leaf_index, blocks, by_complex_step, rng)
            if owners is not None:
                return [Bundle(leaf_index, column, owners) for column in blocks.T]
    return [Bundle(leaf_index, numpy.array([k])) for k in range(count)]


def _partitions(shape) -> Iterator[numpy.ndarray]:
    """Yield partitions of the entries, the finest first: an array [blocks, entries per block]."""
    indices = numpy.arange(int(numpy.prod(shape))).reshape(shape)
    yield indices.reshape(-1, 1)
    for kept in (2, 1):  # the first axes of a batch
        if len(shape) > kept:
            yield indices.reshape(int(numpy.prod(shape[:kept])), -1)
    for axis in range(1, len(shape)):
        yield numpy.moveaxis(indices, axis, 0).reshape(shape[axis], -1)


def _owners(moved, leaf_index, blocks, by_complex_step, rng):
    """Return the block that each output depends on; None if one depends on several.

    The blocks are numbered in binary. For each bit all blocks with a 1 there are moved, and then
    all with a 0: an output that depends on one block changes with one of the two, which gives a
    digit of the block's number.
    """
    count = len(blocks)
    if count < 2 or count > moved.y.size:
        return None
    x, scale = moved.x[leaf_index].reshape(-1), moved.scales[leaf_index].reshape(-1)
    number = numpy.zeros(moved.y.size, int)
    depends = None
    for bit in range((count - 1).bit_length()):
        affected = []
        for digit in (0, 1):
            entries = blocks[(numpy.arange(count) >> bit & 1) == digit].reshape(-1)
            size = random_factors(rng, entries.shape)
            if by_complex_step:
                t = 1j * size * steps(x[entries], scale[entries])
                changed = moved.step(Bundle(leaf_index, entries), t).imag != 0
            else:
                t = PROBE * size * scale[entries]
                changed = moved.step(Bundle(leaf_index, entries), t) != moved.y
            affected.append(changed)
        either = affected[0] | affected[1]
        if (affected[0] & affected[1]).any() or (depends is not None and (depends != either).any()):
            return None
        depends = either
        number += affected[1].astype(int) << bit
    if (number[depends] >= count).any():
        return None
    number[~depends] = count
    return number
