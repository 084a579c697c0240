"""The published update in two launches, noise included."""

from functools import cache

import numpy

from kvnet.kernels.cuda.compilation import launch, on_device
from kvnet.kernels.cuda.uniform import purpose_and_key
from kvnet.training.noisy_adam import BETA_1, BETA_2

NUMBERS_A_CHUNK = 2048


@cache
def _chunks(xp, sections):
    """Cut every section into chunks; see the kernel for what a row says."""
    rows = []
    for start, stop in sections:
        first, starts = len(rows), range(start, stop, NUMBERS_A_CHUNK)
        last = first + len(starts)
        rows += [(begin, min(begin + NUMBERS_A_CHUNK, stop), first, last) for begin in starts]
    return xp.asarray(numpy.array(rows, numpy.int32))


@cache
def _silent(xp, parts):
    return xp.asarray(numpy.array([*parts, (0, 0)], numpy.int32))


def noisy_adam(xp, theta, gradient, m, v, step, learning_rate, rule):
    """Do what `kvnet.training.noisy_adam` does.

    Parameters and source: see there; step and learning rate may also be scalar arrays, int64 and
    float64.
    """
    chunks, silent = _chunks(xp, rule.sections), _silent(xp, rule.silent)
    squares = xp.empty(len(chunks), theta.dtype)
    launch(xp, theta.dtype, "chunk_squares", len(chunks), (gradient, chunks, squares))
    arguments = (
        theta,
        gradient,
        m,
        v,
        chunks,
        squares,
        silent,
        len(rule.silent),
        float(rule.clip_norm),
        float(rule.noise_deviation),
        *purpose_and_key(rule.random_state, "gradient noise"),
        on_device(xp, step, "int64"),
        on_device(xp, learning_rate, "float64"),
        numpy.float64(BETA_1),
        numpy.float64(BETA_2),
        float(rule.epsilon),
    )
    launch(xp, theta.dtype, "noisy_adam", len(chunks), arguments)
