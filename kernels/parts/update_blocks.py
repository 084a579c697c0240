"""The update `kvnet.updates.noisy_adam`, a block of consecutive parameters at a time.

All blocks go through `add_penalty`. Then `clip_scales` knows the norm of every section, and all
blocks go through `update_block`.
"""

from functools import cache
from typing import NamedTuple

import numpy
from numba import njit

from kvnet.kernels.parts.compile_options import INNER
from kvnet.kernels.parts.philox import random_words, unit_interval
from kvnet.kernels.parts.vector_math import cosine_and_sine, log
from kvnet.updates.noisy_adam import BETA_1, BETA_2, UpdateRule

PARAMETERS_PER_BLOCK = 4096  # their noise stays in the fastest cache until it is used


class Rule(NamedTuple):
    """An `UpdateRule` for kernels: scalars of the parameters' dtype, and (N, 2) int64 arrays."""

    sections: numpy.ndarray
    silent: numpy.ndarray
    l2_lambda: numpy.floating
    clip_norm: numpy.floating
    noise_deviation: numpy.floating
    gain_1: numpy.floating  # 1 - β₁
    gain_2: numpy.floating  # 1 - β₂
    epsilon: numpy.floating


class Vectors(NamedTuple):
    """What the update reads and writes, for all parameters or for a block of them."""

    theta: numpy.ndarray
    gradient: numpy.ndarray
    m: numpy.ndarray
    v: numpy.ndarray
    noise: numpy.ndarray


def rule_of(rule: UpdateRule, dtype) -> Rule:
    """Return a rule for kernels. With scalars of another dtype their loops would run in float64."""
    scalars = rule.l2_lambda, rule.clip_norm, rule.noise_deviation, 1 - BETA_1, 1 - BETA_2
    sections, silent = as_bounds(rule.sections), as_bounds(rule.silent)
    return Rule(sections, silent, *map(dtype.type, (*scalars, rule.epsilon)))


@cache
def as_bounds(pairs: tuple[tuple[int, int], ...]) -> numpy.ndarray:
    """Return pairs of (start, stop) as an array, (N, 2)."""
    return numpy.array(pairs, numpy.int64).reshape(-1, 2)


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
    rule : Rule
    squares : (sections,) float array
        Filled with the sum of the squares of each section's gradient in the block.

    Returns
    -------
    square : float
        ``‖θ‖²`` of the block.
    """
    of_theta = theta[0] * 0
    for i in range(len(theta)):
        of_theta += theta[i] * theta[i]
        gradient[i] += rule.l2_lambda * theta[i]
    for s in range(len(rule.sections)):
        part = gradient[_overlap(rule.sections[s], start, len(theta))]
        square = theta[0] * 0
        for i in range(len(part)):
            square += part[i] * part[i]
        squares[s] = square
    return of_theta


@njit(**INNER)
def clip_scales(squares, rule):
    """Return each section's scale, ``min(1, clip_norm / ‖g‖)``, given `squares` of all blocks."""
    scales = numpy.empty(squares.shape[1], squares.dtype)
    for s in range(len(scales)):
        total = squares[0, s]
        for block in range(1, len(squares)):
            total += squares[block, s]
        scales[s] = rule.clip_norm / max(numpy.sqrt(total), rule.clip_norm)
    return scales


@njit(**INNER)
def fill_noise(noise, start, rule, stream):
    """Draw the noise of a block: Box-Muller on pairs of random words.

    Parameters
    ----------
    noise : (N,) float array
        Its length and `start` are multiples of four.
    start : int
    rule : Rule
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
    for k in range(len(rule.silent)):
        silent = noise[_overlap(rule.silent[k], start, len(noise))]
        for i in range(len(silent)):
            silent[i] = 0


@njit(**INNER)
def update_block(start, vectors, scales, rate, rule):
    """Update a block: clip, noise and Adam at the bias-corrected `rate`; `vectors` are its own."""
    for s in range(len(rule.sections)):
        part = _overlap(rule.sections[s], start, len(vectors.theta))
        theta, gradient, noise = vectors.theta[part], vectors.gradient[part], vectors.noise[part]
        m, v, scale = vectors.m[part], vectors.v[part], scales[s]
        for i in range(len(theta)):
            g = scale * gradient[i] + noise[i]
            mean = m[i] + rule.gain_1 * (g - m[i])
            square = v[i] + rule.gain_2 * (g * g - v[i])
            m[i], v[i] = mean, square
            theta[i] -= rate * mean / (numpy.sqrt(square) + rule.epsilon)
