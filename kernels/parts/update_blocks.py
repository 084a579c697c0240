"""The update `kvnet.updates.noisy_adam`, a block of consecutive parameters at a time.

All blocks go through `add_penalty`. Then `clip_scales` knows the norm of every section, and all
blocks go through `update_block`.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy

from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import INNER
from kvnet.kernels.parts.philox import random_words, unit_interval
from kvnet.kernels.parts.vector_math import cosine_and_sine, log
from kvnet.updates.noisy_adam import BETA_1, BETA_2, UpdateRule

PARAMETERS_PER_BLOCK = 4096  # their noise stays in the fastest cache until it is used


class Vectors(NamedTuple):
    """What the update reads and writes, for all parameters or for a block of them."""

    theta: numpy.ndarray
    gradient: numpy.ndarray
    m: numpy.ndarray
    v: numpy.ndarray
    noise: numpy.ndarray


@lru_cache(maxsize=8)
def rule_for(dtype, rule: UpdateRule) -> UpdateRule:
    """Return a rule as kernels take it: (N, 2) int64 arrays, scalars of a dtype, and no seed.

    Scalars of another dtype would make a loop compute in float64.
    """
    bounds = (numpy.array(pairs, numpy.int64) for pairs in (rule.sections, rule.silent))
    sections, silent = (array.reshape(-1, 2) for array in bounds)
    names = ("l2_lambda", "clip_norm", "epsilon", "noise_deviation")
    scalars = {name: dtype.type(getattr(rule, name)) for name in names}
    return rule._replace(sections=sections, silent=silent, random_state=None, **scalars)


@njit(**INNER)
def _overlap(section, start, size):
    """Return the part of a block of `size` parameters from `start` that a section covers."""
    first = max(section[0] - start, 0)
    return slice(first, max(first, min(section[1] - start, size)))


@njit(**INNER)
def add_penalty(start, theta, gradient, rule, squares):
    """Add a block's L2 penalty to its gradient, and sum the squares of both.

    Parameters
    ----------
    start : int
        Index of the block's first parameter.
    theta, gradient : float array
        Of the block. `gradient` is changed.
    rule : UpdateRule
    squares : (sections,) float array
        Filled with the sum of the squares of each section's gradient in the block.

    Returns
    -------
    square : float
        ``‖θ‖²`` of the block.
    """
    of_theta, sections, l2_lambda = theta[0] * 0, rule.sections, rule.l2_lambda
    for i in range(len(theta)):
        of_theta += theta[i] * theta[i]
        gradient[i] += l2_lambda * theta[i]
    for s in range(len(sections)):
        part = gradient[_overlap(sections[s], start, len(theta))]
        square = theta[0] * 0
        for i in range(len(part)):
            square += part[i] * part[i]
        squares[s] = square
    return of_theta


@njit(**INNER)
def clip_scales(squares, rule):
    """Return each section's scale, ``min(1, clip_norm / ‖g‖)``, given `squares` of all blocks."""
    scales, clip_norm = numpy.empty(squares.shape[1], squares.dtype), rule.clip_norm
    for s in range(len(scales)):
        total = squares[0, s]
        for block in range(1, len(squares)):
            total += squares[block, s]
        scales[s] = clip_norm / max(numpy.sqrt(total), clip_norm)
    return scales


@njit(**INNER)
def fill_noise(noise, start, rule, stream):
    """Draw the noise of a block: Box-Muller on pairs of random words.

    Parameters
    ----------
    noise : (N,) float array
        Its length and `start` are multiples of four.
    start : int
    rule : UpdateRule
    stream : Stream
    """
    words = numpy.empty((4, len(noise) // 4), numpy.uint32)
    random_words(words, start // 4, stream)
    z, deviation = numpy.empty(words.shape, noise.dtype), rule.noise_deviation
    for pair in range(0, 4, 2):  # word by word first: that compiles to vector instructions
        radii, turns, z_cosine, z_sine = words[pair], words[pair + 1], z[pair], z[pair + 1]
        for n in range(len(radii)):
            minus_2_log = noise.dtype.type(-2) * log(unit_interval(radii[n], deviation))
            radius = deviation * numpy.sqrt(minus_2_log)
            cosine, sine = cosine_and_sine(unit_interval(turns[n], deviation))
            z_cosine[n], z_sine[n] = radius * cosine, radius * sine
    for n in range(z.shape[1]):
        noise[4 * n], noise[4 * n + 1] = z[0, n], z[1, n]
        noise[4 * n + 2], noise[4 * n + 3] = z[2, n], z[3, n]
    silent = rule.silent
    for k in range(len(silent)):
        part = noise[_overlap(silent[k], start, len(noise))]
        for i in range(len(part)):
            part[i] = 0


@njit(**INNER)
def update_block(start, vectors, scales, rate, rule):
    """Update a block: clip, noise and Adam at the bias-corrected `rate`; `vectors` are its own."""
    all_theta, all_gradient, all_m, all_v, all_noise = vectors
    dtype, sections, epsilon = all_theta.dtype.type, rule.sections, rule.epsilon
    gain_1, gain_2 = dtype(1 - BETA_1), dtype(1 - BETA_2)
    for s in range(len(sections)):
        part, scale = _overlap(sections[s], start, len(all_theta)), scales[s]
        theta, gradient, noise = all_theta[part], all_gradient[part], all_noise[part]
        m, v = all_m[part], all_v[part]
        for i in range(len(theta)):
            g = scale * gradient[i] + noise[i]
            mean = m[i] + gain_1 * (g - m[i])
            square = v[i] + gain_2 * (g * g - v[i])
            m[i], v[i] = mean, square
            theta[i] -= rate * mean / (numpy.sqrt(square) + epsilon)
