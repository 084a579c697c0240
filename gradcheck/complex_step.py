"""Derivatives by a complex step: nothing is subtracted, so no digits are lost."""

from itertools import pairwise

import numpy

from kvnet.gradcheck.moved_function import Bundle, MovedFunction
from kvnet.gradcheck.norms import norm
from kvnet.gradcheck.rounding import FACTOR

STEP = 2.0**-66  # its square is below machine precision, so there is no truncation error either
SMALL = 2.0**-33  # entries below this size have a step relative to their size
RELATIVE_STEP = 2.0**-40
TINY, TINY_STEP = 2.0**-960, 2.0**-27  # here a smaller step would not be a float of full precision
LADDER = (2.0**-20, 2.0**-30, STEP)  # steps that do not depend on the entry
QUANTUM = 2.0**-1074  # the smallest float
EPSILON = float(numpy.finfo("float64").eps)


def steps(x: numpy.ndarray, scales: numpy.ndarray) -> numpy.ndarray:
    """Return the step of each entry, a power of two.

    The truncation error of a step h is about (h/x)² where the function varies over the distance x,
    as a logarithm or a root does, so h is small relative to x.

    Parameters
    ----------
    x, scales : arrays
        Entries, and the distances over which the function may vary with them.
    """
    sizes = numpy.where(x == 0, scales, abs(x))
    relative = numpy.where(sizes < TINY, TINY_STEP, RELATIVE_STEP)
    h = numpy.where(sizes < SMALL, sizes * relative, STEP * numpy.maximum(sizes, 1.0))
    return numpy.exp2(numpy.round(numpy.log2(numpy.maximum(h, QUANTUM))))


def slopes(moved: MovedFunction, bundle: Bundle, h=None) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Differentiate by the entries of a bundle: ``f'(x) = Im f(x + ih) / h``.

    Parameters
    ----------
    moved : MovedFunction
    bundle : Bundle
    h : array, optional
        Step of each entry; by default that of `steps`.

    Returns
    -------
    slopes : array
        Of the weighted sum of the outputs.
    errors : array
        Bound of the rounding errors of these sums, but not of forward's own.

    References
    ----------
    Squire and Trapp 1998, "Using complex variables to estimate derivatives of real functions";
    Martins, Sturdza and Alonso 2003, "The complex-step derivative approximation".
    """
    if h is None:
        i = bundle.leaf_index
        h = steps(moved.x[i].reshape(-1)[bundle.entries], moved.scales[i].flat[bundle.entries])
    terms = moved.weights * (moved.step(bundle, 1j * h).imag / bundle.per_output(h))
    if bundle.owners is None:
        return terms.sum(keepdims=True), numpy.array([FACTOR * moved.epsilon * norm(terms)])
    size = float(abs(terms).max(initial=0.0)) or 1.0  # relative to it, squares do not overflow
    return bundle.sums(terms), FACTOR * moved.epsilon * size * numpy.sqrt(
        bundle.sums((terms / size) ** 2)
    )


def careful_slope(moved: MovedFunction, bundle: Bundle) -> tuple[float, float]:
    """Differentiate by one entry with several steps.

    A step must be small relative to x for a root, and must not underflow in x². Two steps that
    give the same slope are both small enough.

    Parameters
    ----------
    moved : MovedFunction
    bundle : Bundle
        Of a single entry.

    Returns
    -------
    slope, error : float
        The error is infinite where no two steps agree, or the values are not finite.
    """
    i = bundle.leaf_index
    x, scale = abs(moved.x[i].reshape(-1)[bundle.entries]), moved.scales[i].flat[bundle.entries]
    usual = steps(x, scale)

    def at(h):
        terms = moved.weights * (moved.step(bundle, 1j * h).imag / h)
        quantum = QUANTUM * float(abs(moved.weights[terms != 0]).sum() or abs(moved.weights).sum())
        return float(terms.sum()), FACTOR * moved.epsilon * norm(terms) + quantum / float(h[0])

    def pair(h, other):
        (slope, error), (second, other_error) = at(h), at(other)
        error = abs(slope - second) + max(error, other_error)
        return second, error if numpy.isfinite(error) else numpy.inf

    slope, error = pair(usual, usual * 2.0**-4 if x[0] < TINY else usual * 2.0**-10)
    if error <= 1e-10 * abs(slope):
        return slope, error
    candidates = [(slope, error)]
    size = numpy.maximum(1.0, x)
    for larger, smaller in pairwise(LADDER):
        candidates.append(pair(size * larger, size * smaller))
    return min(candidates, key=lambda candidate: candidate[1])
