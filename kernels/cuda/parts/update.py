"""The launches of an update: squares of the gradient in chunks, then all parameters."""

from functools import cache
from typing import NamedTuple

import numpy

from kvnet.kernels.cuda.parts.launch import launch
from kvnet.kernels.cuda.parts.philox import philox_key, purpose_number
from kvnet.updates.noisy_adam import BETA_1, BETA_2, UpdateRule

CHUNK_SIZE = 1024  # parameters of a block; each thread draws the noise of four together


class Squares(NamedTuple):
    """Where blocks store the sums of squares of the gradients that they compute; see update.cu.

    Attributes
    ----------
    theta, gradient : contiguous float array
        The models' vectors, one after another.
    l2 : float
    squares : (N, 2, sums) float array
        As for `Update`.
    sums : int
    """

    theta: numpy.ndarray
    gradient: numpy.ndarray
    l2: float
    squares: numpy.ndarray
    sums: int


class Update(NamedTuple):
    """The arguments of the update of N models that differ in their seeds only; see update.cu.

    Attributes
    ----------
    theta, gradient, m, v : contiguous float array
        The models' vectors, one after another; the gradient is without the penalty.
    parameters : int
        Of each model.
    l2 : float
    chunks : (n, 4) int32 array
        As returned by `chunks_of`.
    squares : (N, 2, sums) float array
        Sums of squared gradients, the penalty's included, and of squared parameters.
    sums : int
    silent : (silent_parts + 1, 2) int32 array
    silent_parts : int
    clip_norm, deviation : float
    purpose : numpy.uint32
    keys : (N, 2) uint32 array
    step : (N,) int64 array
    rate : (N,) float64 array
        The learning rate with Adam's bias correction.
    beta_1, beta_2 : numpy.float64
    epsilon : float
    """

    theta: numpy.ndarray
    gradient: numpy.ndarray
    m: numpy.ndarray
    v: numpy.ndarray
    parameters: int
    l2: float
    chunks: numpy.ndarray
    squares: numpy.ndarray
    sums: int
    silent: numpy.ndarray
    silent_parts: int
    clip_norm: float
    deviation: float
    purpose: numpy.uint32
    keys: numpy.ndarray
    step: numpy.ndarray
    rate: numpy.ndarray
    beta_1: numpy.float64
    beta_2: numpy.float64
    epsilon: float


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


def launch_update(
    xp, name: str, vectors, chunks, squares, step, rate, rules: list[UpdateRule], /, **end
) -> None:
    """Launch a kernel that updates the parameters of several models.

    Parameters
    ----------
    xp : module
        Array module.
    name : str
        Of the kernel.
    vectors : sequence of 4 arrays
        `theta`, `gradient`, `m` and `v` of `Update`.
    chunks, squares, step, rate
        As for `Update`.
    rules : list of N UpdateRule
        Their seeds may differ.
    **end
        Further arguments: those of the kernel's last block.
    """
    (theta, gradient, m, v), rule = vectors, rules[0]
    update = Update(
        theta=theta,
        gradient=gradient,
        m=m,
        v=v,
        parameters=rule.sections[-1][1],
        l2=float(rule.l2_lambda),
        chunks=chunks,
        squares=squares,
        sums=squares.shape[2],
        silent=_silent_parts(xp, rule.silent),
        silent_parts=len(rule.silent),
        clip_norm=float(rule.clip_norm),
        deviation=float(rule.noise_deviation),
        purpose=purpose_number("gradient noise"),
        keys=_keys(xp, tuple(rule.random_state for rule in rules)),
        step=step,
        rate=rate,
        beta_1=numpy.float64(BETA_1),
        beta_2=numpy.float64(BETA_2),
        epsilon=float(rule.epsilon),
    )
    grid = len(chunks) + 1, len(rules)
    launch(xp, theta.dtype, name, grid, **update._asdict(), **end)


@cache
def _silent_parts(xp, parts):
    return xp.asarray(numpy.array([*parts, (0, 0)], numpy.int32))  # never empty


@cache
def _keys(xp, seeds):
    return xp.asarray(numpy.array([philox_key(seed) for seed in seeds], numpy.uint32))
