"""Rounding errors of a function's outputs and gradients, measured at nearby points."""

from collections.abc import Callable
from typing import NamedTuple

import numpy

from kvnet.backend import to_numpy
from kvnet.gradcheck.differentiable_function import DifferentiableFunction, on_device_of
from kvnet.gradcheck.function_noise import POINTS, Noise, estimate_noise, nearby_points, spacing_for
from kvnet.gradcheck.nested_arrays import is_array
from kvnet.gradcheck.norms import norm

SUSPICIOUS = 64.0  # times machine epsilon: noise from which it is measured at closer points
SAMPLES = 6  # of rounding errors in a precision
NEARBY = 2.0**-10  # relative distance of their points
CLOSE = 64.0  # distance of these, times machine epsilon
DRAWS = 3  # of other weights
FACTOR = 16  # standard deviations of the noise, which is itself an estimate
# Precisions below that of the inputs in which a function may compute: float32, float16.
LOWER_PRECISIONS = (2.0**-23, 2.0**-10)
CHANGES = 0.8  # of the steps between distant points that change a result of low precision


class Rounding(NamedTuple):
    """Bounds of the rounding error of a gradient.

    Attributes
    ----------
    norm : float
        Of the norm of the whole error.
    entries : array
        Of each entry's error.
    """

    norm: float
    entries: numpy.ndarray


def measured_noise(
    results_at: Callable[[list], list],
    arrays: list[numpy.ndarray],
    results: list[numpy.ndarray],
    rng: numpy.random.Generator,
) -> list[Noise]:
    """Measure the noise of the results of a function of several arrays.

    A function may compute in a lower precision than that of its inputs. Its results are then equal
    at points that are close to each other, and change only between points farther apart, at which
    the noise of such results is measured.

    Parameters
    ----------
    results_at : callable
        Maps arrays to a list of results, in float64.
    arrays : list of array
        The point.
    results : list of array
        The results there.
    rng : numpy.random.Generator

    Returns
    -------
    noise : list of Noise
        One per result.
    """

    def known(points):
        found = results_at(list(points))
        if all(f.shape == r.shape for f, r in zip(found, results, strict=True)):
            return found
        return [numpy.full(r.shape, numpy.nan) for r in results]  # a shape that values determine

    def values_at(spacings):
        lines = [nearby_points(x, s, rng) for x, s in zip(arrays, spacings, strict=True)]
        at = [known(points) for points in zip(*lines, strict=True)]
        return [numpy.stack(values) for values in zip(*at, strict=True)]

    epsilons = [float(numpy.finfo(x.dtype).eps) for x in arrays]
    largest = max(float(abs(x).max(initial=0.0)) for x in arrays)
    values = values_at([spacing_for(e) for e in epsilons])
    noise = [estimate_noise(v) for v in values]
    constant = [(v == v[0]).all(axis=0) for v in values]
    if any(
        (n.entries > SUSPICIOUS * numpy.finfo(r.dtype).eps * abs(r)).any()
        for n, r in zip(noise, results, strict=True)
    ):
        # Close to a singularity or the edge of the domain, even small distances are too large.
        values = values_at([CLOSE * e for e in epsilons])
        for i, v in enumerate(values):
            noise[i] = _smaller(noise[i], estimate_noise(v))
            constant[i] |= (v == v[0]).all(axis=0)
    for lower in LOWER_PRECISIONS:
        if not any(c.any() for c in constant):
            break
        # One distant point shows whether results that were constant so far depend on anything.
        distance = 2 * spacing_for(lower)
        with numpy.errstate(all="ignore"):  # it may be outside the domain: not finite
            farther = known([nearby_points(x, distance, rng, sides=1)[-1] for x in arrays])
        moving = [
            c & (f != r) & numpy.isfinite(f)
            for c, f, r in zip(constant, farther, results, strict=True)
        ]
        if not any(m.any() for m in moving):
            continue
        values = values_at([spacing_for(max(lower, e)) for e in epsilons])
        for i, (v, m) in enumerate(zip(values, moving, strict=True)):
            m &= _change_often(v)
            entries = numpy.where(m, estimate_noise(v).entries, noise[i].entries)
            size = abs(numpy.asarray(results[i], "float64"))
            precision = noise[i].precision
            # A result near 0 whose terms cancel has few digits left as well.
            cancelled = not (entries[m] > FACTOR * max(epsilons) * largest).any()
            if 2 * m.sum() > m.size and (size[m] > 0).any() and not cancelled:
                precision = float(numpy.median((entries[m] / size[m])[size[m] > 0]))
            noise[i] = Noise(max(noise[i].norm, norm(entries[m])), entries, precision)
            constant[i] &= (v == v[0]).all(axis=0)
    return noise


def _change_often(values):
    """Return which results change between most points: a kink on the way changes them once."""
    sides = values.reshape(-1, POINTS, *values.shape[1:])
    return (sides[:, 1:] != sides[:, :-1]).mean(axis=(0, 1)) >= CHANGES


def _smaller(noise, other):
    entries = numpy.minimum(noise.entries, other.entries)
    entries = numpy.where(numpy.isfinite(entries), entries, 0.0)
    return Noise(min(noise.norm, other.norm, norm(entries) * 2), entries)


def noise_of_results(
    function: DifferentiableFunction,
    results: list[numpy.ndarray],
    d_outputs: list[numpy.ndarray],
    rng: numpy.random.Generator,
) -> list[Noise]:
    """Measure the noise of each output and each gradient.

    Parameters
    ----------
    function : DifferentiableFunction
    results : list of array
        The outputs, and the gradient of each differentiable leaf.
    d_outputs : list of array
    rng : numpy.random.Generator

    Returns
    -------
    noise : list of Noise
        One per result.
    """

    def results_at(points):
        leaves = list(function.leaves)
        for i, x in zip(function.differentiable, points[len(d_outputs) :], strict=True):
            leaves[i] = on_device_of(leaves[i], x)
        outputs, backward = function(leaves)
        found = [numpy.array(output, "float64") for output in outputs]  # copies, not views
        gradients = function.gradients(backward, points[: len(d_outputs)])
        return [*found, *(numpy.array(to_numpy(g), "float64") for g in gradients)]

    leaves = [to_numpy(function.leaves[i]) for i in function.differentiable]
    return measured_noise(results_at, [*d_outputs, *leaves], results, rng)


def rounding_in(
    low: str,
    high: str,
    function: DifferentiableFunction,
    d_outputs: list[numpy.ndarray],
    rng: numpy.random.Generator,
) -> list[numpy.ndarray]:
    """Measure the rounding errors that each gradient has in a precision.

    Where terms near 1 cancel inside the function, as in a saturated softmax, they may be equal at
    points close to each other, and so are their rounding errors; the noise does not show them. The
    gradients that are computed in a low and in a high precision from the same values differ by the
    errors in the low one. Those in the high one are smaller by the ratio of the machine epsilons.

    Parameters
    ----------
    low, high : str
        Two dtypes.
    function : DifferentiableFunction
    d_outputs : list of array
    rng : numpy.random.Generator

    Returns
    -------
    errors : list of float64 array
        The largest ones in several points nearby; 0 where the function does not run in them.
    """
    arrays = [to_numpy(function.leaves[i]) for i in function.differentiable]
    largest = [numpy.zeros(x.shape) for x in arrays]
    for _ in range(SAMPLES):
        points = [nearby_points(x, NEARBY, rng, 1)[0] for x in [*d_outputs, *arrays]]
        points = [x.astype(low) for x in points]
        try:
            pairs = [
                _gradients_at(function, [x.astype(dtype) for x in points], low, dtype)
                for dtype in (low, high)
            ]
        except Exception:  # it accepts one dtype only
            return largest
        for k, (a, b) in enumerate(zip(*pairs, strict=True)):
            error = abs(a - b).astype("float64")
            largest[k] = numpy.fmax(largest[k], numpy.where(numpy.isfinite(error), error, 0.0))
    return largest


def _gradients_at(function, points, low, dtype):
    leaves = [
        leaf.astype(low).astype(dtype) if is_array(leaf) and leaf.dtype.kind == "f" else leaf
        for leaf in function.leaves
    ]
    first = len(points) - len(function.differentiable)
    for i, x in zip(function.differentiable, points[first:], strict=True):
        leaves[i] = on_device_of(leaves[i], x)
    _, backward = function(leaves)
    gradients = function.gradients(backward, points[:first])
    return [numpy.array(to_numpy(g)) for g in gradients]


def conditioning(
    function: DifferentiableFunction,
    backward,
    gradients: list[numpy.ndarray],
    draw_weights,
) -> list[numpy.ndarray]:
    """Estimate the size of the terms of each entry of a gradient, which may cancel in it.

    A gradient is the sum of a term per output. With other weights these terms add up differently.

    Parameters
    ----------
    function : DifferentiableFunction
    backward : callable
    gradients : list of array
        With the weights of the check.
    draw_weights : callable
        Returns other weights.

    Returns
    -------
    sizes : list of float64 array
        Root mean square of each entry over several draws of the weights, or its own size if that
        is larger.
    """
    sizes = [abs(gradient.astype("float64")) for gradient in gradients]
    totals = list(sizes)
    for _ in range(DRAWS):
        others = function.gradients(backward, draw_weights())
        others = [numpy.asarray(to_numpy(other), "float64") for other in others]
        totals = [  # hypot does not overflow
            numpy.where(numpy.isfinite(other), numpy.hypot(total, other), total)
            for total, other in zip(totals, others, strict=True)
        ]
    return [
        numpy.maximum(size, total / (DRAWS + 1) ** 0.5)
        for size, total in zip(sizes, totals, strict=True)
    ]


def bound(result: numpy.ndarray, noise: Noise, sizes: numpy.ndarray, floor: float) -> Rounding:
    """Bound the rounding error of a result: ``16 (noise + ε (size + floor))``.

    Parameters
    ----------
    result : array
    noise : Noise
    sizes : array
        Size of the terms of each entry.
    floor : float
        Size of the terms that cancel in it.
    """
    epsilon = float(numpy.finfo(result.dtype).eps)
    return Rounding(
        FACTOR * (noise.norm + epsilon * (norm(result) + floor)),
        FACTOR * (noise.entries + epsilon * (sizes + floor)),
    )
