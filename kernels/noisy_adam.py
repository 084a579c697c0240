"""The published update in one pass over all parameters, noise included."""

from functools import cache

import numpy
from numba import njit, prange

from kvnet.kernels.parts.compilation import OPTIONS, PARALLEL
from kvnet.kernels.parts.philox import counter_and_key, random_words, unit_interval
from kvnet.kernels.parts.vector_math import cosine_and_sine, log
from kvnet.operations.l2_penalty import l2_penalty
from kvnet.updates.noisy_adam import BETA_1, BETA_2, corrected_rate

NUMBERS_A_BLOCK = 4096  # of noise, that stays in the fastest cache until it is used


@njit(**OPTIONS)
def fill_noise(noise, start, silent, deviation, counter_and_key):
    """Draw the noise of parameters ``start`` onwards: Box-Muller on pairs of random words.

    Parameters
    ----------
    noise : (N,) float array
        N and `start` are multiples of four.
    start : int
    silent : (K, 2) int64 array
        Parameters from where to where get none.
    deviation : float
    counter_and_key : tuple
        As `kvnet.kernels.parts.philox.counter_and_key` returns it.
    """
    words = numpy.empty((4, len(noise) // 4), numpy.uint32)
    random_words(words, start // 4, *counter_and_key)
    z = numpy.empty(words.shape, noise.dtype)
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
    for k in range(len(silent)):
        for i in range(max(silent[k, 0], start), min(silent[k, 1], start + len(noise))):
            noise[i - start] = 0


@njit(**OPTIONS)
def _clip_scale(gradient, clip_norm):
    total = gradient[0] * 0
    for i in range(gradient.size):
        total += gradient[i] * gradient[i]
    return clip_norm / max(numpy.sqrt(total), clip_norm)


@njit(**OPTIONS)
def _adam(theta, gradient, m, v, noise, scale, numbers):
    """Update some parameters; `numbers` are 1 - β₁, 1 - β₂, the corrected rate and ε."""
    gain_1, gain_2, rate, epsilon = numbers
    for i in range(len(theta)):
        g = scale * gradient[i] + noise[i]
        mean = m[i] + gain_1 * (g - m[i])
        square = v[i] + gain_2 * (g * g - v[i])
        m[i], v[i] = mean, square
        theta[i] -= rate * mean / (numpy.sqrt(square) + epsilon)


@njit(**OPTIONS)
def update_piece(start, sections, scales, vectors, numbers):
    """Update the parameters from `start` on, each array by its own clipped gradient.

    `vectors` are their θ, gradient, m, v and noise.
    """
    theta, gradient, m, v, noise = vectors
    for s in range(len(sections)):
        first = max(sections[s, 0] - start, 0)
        part = slice(first, max(first, min(sections[s, 1] - start, len(theta))))
        _adam(theta[part], gradient[part], m[part], v[part], noise[part], scales[s], numbers)


@njit(**PARALLEL)
def _update(
    theta, gradient, m, v, sections, silent, clip_norm, deviation, counter_and_key, adam_numbers
):
    scales = numpy.empty(len(sections), theta.dtype)
    for s in range(len(sections)):  # too short to be worth a start of the threads
        scales[s] = _clip_scale(gradient[sections[s, 0] : sections[s, 1]], clip_norm)
    for block in prange((theta.size + NUMBERS_A_BLOCK - 1) // NUMBERS_A_BLOCK):
        start = block * NUMBERS_A_BLOCK
        stop = min(start + NUMBERS_A_BLOCK, theta.size)
        noise = numpy.empty(NUMBERS_A_BLOCK, theta.dtype)
        fill_noise(noise, start, silent, deviation, counter_and_key)
        piece = slice(start, stop)
        vectors = theta[piece], gradient[piece], m[piece], v[piece], noise
        update_piece(start, sections, scales, vectors, adam_numbers)


def noisy_adam(xp, theta, gradient, m, v, step, learning_rate, rule):
    """Do what `kvnet.updates.noisy_adam` does.

    Parameters and source: see there.
    """
    penalty, backward_penalty = l2_penalty(xp, theta, rule.l2_lambda)
    gradient = gradient + backward_penalty(1.0)
    number = theta.dtype.type  # of the arrays' dtype, or the loop would run in float64
    _update(
        theta,
        gradient,
        m,
        v,
        as_bounds(rule.sections),
        as_bounds(rule.silent),
        number(rule.clip_norm),
        number(rule.noise_deviation),
        counter_and_key(rule.random_state, "gradient noise", step),
        (
            number(1 - BETA_1),
            number(1 - BETA_2),
            number(corrected_rate(learning_rate, step)),
            number(rule.epsilon),
        ),
    )
    return penalty


@cache
def as_bounds(parts: tuple[tuple[int, int], ...]) -> numpy.ndarray:
    """Return pairs of numbers as an array, (N, 2)."""
    return numpy.array(parts, numpy.int64).reshape(-1, 2)
