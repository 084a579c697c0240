"""The published update in two launches, noise included."""

from functools import cache

import numpy

from kvnet.counter_random import WORD
from kvnet.kernels.cuda.parts.compilation import launch
from kvnet.kernels.cuda.uniform import purpose_number
from kvnet.updates.noisy_adam import BETA_1, BETA_2, corrected_rate

NUMBERS_A_CHUNK = 1024  # four a thread: their noise comes together


@cache
def chunks_of(xp, sections, parts=()):
    """Cut every section into chunks; see the kernel for what a row says.

    Parameters
    ----------
    xp : module
        Array module.
    sections : tuple of (start, stop)
    parts : tuple of (first, last), optional
        Where each section's squares are; else each chunk leaves its own.

    Returns
    -------
    chunks : (n, 4) int32 array
    """
    rows = []
    for n, (start, stop) in enumerate(sections):
        starts = range(start, stop, NUMBERS_A_CHUNK)
        first, last = parts[n] if parts else (len(rows), len(rows) + len(starts))
        rows += [(begin, min(begin + NUMBERS_A_CHUNK, stop), first, last) for begin in starts]
    return xp.asarray(numpy.array(rows, numpy.int32))


@cache
def _silent(xp, parts):
    return xp.asarray(numpy.array([*parts, (0, 0)], numpy.int32))


@cache
def _keys(xp, seeds):
    """Return the Philox key of each start's noise, (N, 2)."""
    return xp.asarray(numpy.array([(seed & WORD, seed >> 32) for seed in seeds], numpy.uint32))


def noisy_adam(xp, theta, gradient, m, v, step, learning_rate, rule):
    """Do what `kvnet.updates.noisy_adam` does.

    Parameters and source: see there.
    """
    update_one(xp, (theta, gradient, m, v), 0.0, step, learning_rate, rule)


def update_one(xp, vectors, l2_lambda: float, step: int, learning_rate: float, rule):
    """Update one model's parameters.

    Parameters
    ----------
    xp, vectors, l2_lambda
        As for `launch_update`.
    step, learning_rate, rule
        As for `kvnet.updates.noisy_adam`.

    Returns
    -------
    squares : (chunks,) float array
        Parts of the sum of squared parameters, before the step.
    """
    chunks = chunks_of(xp, rule.sections)
    squares = xp.empty((1, 2, len(chunks)), vectors[0].dtype)
    rate = xp.full(1, corrected_rate(learning_rate, step), "float64")
    step = xp.full(1, step, "int64")
    launch_squares(xp, *vectors[:2], l2_lambda, chunks, squares)
    launch_update(xp, vectors, l2_lambda, chunks, squares, step, rate, [rule])
    return squares[0, 1]


def launch_squares(xp, theta, gradient, l2_lambda: float, chunks, squares) -> None:
    """Sum the squares that an update takes.

    Parameters
    ----------
    xp : module
        Array module.
    theta, gradient : (N,) float array
    l2_lambda : float
        λ of the penalty, which the gradient is without.
    chunks : int32 array
        Of `chunks_of`.
    squares : (1, 2, chunks) float array
        Left are each chunk's sum of squared gradients, and of squared parameters.
    """
    arguments = theta, gradient, theta.size, float(l2_lambda), chunks, squares
    launch(xp, theta.dtype, "chunk_squares", len(chunks), arguments)


def launch_update(
    xp, vectors, l2_lambda: float, chunks, squares, step, rate, rules, end=()
) -> None:
    """Update the parameters of several starts.

    Parameters
    ----------
    xp : module
        Array module.
    vectors : sequence of 4 contiguous arrays
        θ, gradient without the penalty's, m and v, each start's one after another.
    l2_lambda : float
        λ of the penalty.
    chunks : int32 array
        Of `chunks_of`.
    squares : (N, 2, parts) float array
        Parts of the sum of squared gradients, and of squared parameters.
    step : (N,) int64 array
    rate : (N,) float64 array
        Corrected, as `kvnet.updates.noisy_adam.corrected_rate` does.
    rules : sequence of N UpdateRule
        They differ in their seeds alone.
    end : sequence, optional
        What a recorded step's end takes; see `noisy_adam_and_end`.
    """
    theta, rule = vectors[0], rules[0]
    arguments = (
        *vectors,
        rule.sections[-1][1],
        float(l2_lambda),
        chunks,
        squares,
        squares.shape[2],
        _silent(xp, rule.silent),
        len(rule.silent),
        float(rule.clip_norm),
        float(rule.noise_deviation),
        purpose_number("gradient noise"),
        _keys(xp, tuple(rule.random_state for rule in rules)),
        step,
        rate,
        numpy.float64(BETA_1),
        numpy.float64(BETA_2),
        float(rule.epsilon),
        *end,
    )
    name = "noisy_adam_and_end" if end else "noisy_adam"
    launch(xp, theta.dtype, name, (len(chunks) + bool(end), len(rules)), arguments)
