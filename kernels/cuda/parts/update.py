"""The launches of an update: squares of the gradient in chunks, then all parameters."""

from functools import cache

import numpy

from kvnet.kernels.cuda.parts.launch import launch
from kvnet.kernels.cuda.parts.philox import philox_key, purpose_number
from kvnet.updates.noisy_adam import BETA_1, BETA_2, UpdateRule

CHUNK_SIZE = 1024  # parameters of a block; each thread draws the noise of four together


@cache
def chunks_of(xp, sections, ranges=()):
    """Cut every section of a vector into chunks.

    Parameters
    ----------
    xp : module
        Array module.
    sections : tuple of (start, stop)
    ranges : tuple of (first, last), optional
        The range of each section's sums of squares. By default each chunk has one.

    Returns
    -------
    chunks : (n, 4) int32 array
        Start and stop of each chunk, and the range of its section.
    """
    rows = []
    for n, (start, stop) in enumerate(sections):
        starts = range(start, stop, CHUNK_SIZE)
        first, last = ranges[n] if ranges else (len(rows), len(rows) + len(starts))
        rows += [(begin, min(begin + CHUNK_SIZE, stop), first, last) for begin in starts]
    return xp.asarray(numpy.array(rows, numpy.int32))


def chunk_squares(xp, theta, gradient, l2_lambda: float, chunks):
    """Sum the squares that an update needs.

    Parameters
    ----------
    xp : module
        Array module.
    theta, gradient : (N,) float array
    l2_lambda : float
        λ of the penalty, which the gradient is without.
    chunks : int32 array
        As returned by `chunks_of`.

    Returns
    -------
    squares : (1, 2, chunks) float array
        Each chunk's sum of squared gradients, and of squared parameters.
    """
    squares = xp.empty((1, 2, len(chunks)), theta.dtype)
    arguments = {"chunks": chunks, "parameters": theta.size, "l2": float(l2_lambda)}
    arguments |= {"theta": theta, "gradient": gradient, "squares": squares}
    launch(xp, theta.dtype, "chunk_squares", len(chunks), **arguments)
    return squares


def rule_arguments(xp, rules: list[UpdateRule]) -> dict:
    """Return the arguments of an update of models whose rules differ in their seeds only."""
    rule = rules[0]
    return {
        "parameters": rule.sections[-1][1],
        "l2": float(rule.l2_lambda),
        "silent": _silent_parts(xp, rule.silent),
        "silent_parts": len(rule.silent),
        "clip_norm": float(rule.clip_norm),
        "deviation": float(rule.noise_deviation),
        "purpose": purpose_number("gradient noise"),
        "keys": _keys(xp, tuple(rule.random_state for rule in rules)),
        "beta_1": numpy.float64(BETA_1),
        "beta_2": numpy.float64(BETA_2),
        "epsilon": float(rule.epsilon),
    }


@cache
def _silent_parts(xp, parts):
    return xp.asarray(numpy.array([*parts, (0, 0)], numpy.int32))  # never empty


@cache
def _keys(xp, seeds):
    return xp.asarray(
        numpy.array([tuple(philox_key(seed).values()) for seed in seeds], numpy.uint32)
    )
