"""The search for kinks among all entries of a leaf, and for functions that are not analytic."""

import numpy

from kvnet.gradcheck.complex_step import EPSILON, steps
from kvnet.gradcheck.kinks import (
    KinkSlopes,
    Sides,
    kinks_of,
    next_to,
    sides_by_complex_step,
    sides_by_differences,
)
from kvnet.gradcheck.moved_function import Bundle, MovedFunction
from kvnet.gradcheck.random_numbers import random_factors

PROBES = (
    2.0**-8,
    2.0**-14,
    2.0**-20,
)  # steps of the differences to which a complex step is compared
DISAGREEMENT = 1e-4  # relative difference above which the two disagree
DISTANT_DISAGREEMENT = 1e-2  # the same for the largest step, at which the function may curve


def probe_all(moved: MovedFunction, by_complex_step: bool, rng: numpy.random.Generator) -> Sides:
    """Look for a kink by moving every entry of every leaf at once.

    Returns
    -------
    sides : Sides
        The slopes of each output along a random direction, on both sides.
    """
    indices = moved.function.differentiable
    factors = {i: random_factors(rng, moved.x[i].shape) for i in indices}
    scaled = {i: factors[i] * moved.scales[i] for i in indices}
    if not by_complex_step:
        ratios = [float((abs(moved.x[i]) / moved.scales[i]).max(initial=1.0)) for i in indices]

        def at(step):
            return moved.at({i: moved.x[i] + step * scaled[i] for i in indices})

        return sides_by_differences(moved, at, 1.0, EPSILON * max(ratios))
    distances = {i: factors[i] * next_to(moved.x[i], moved.scales[i]) for i in indices}
    imaginary = {i: 1j * factors[i] * steps(moved.x[i], moved.scales[i]) for i in indices}

    def at(factor):
        return moved.at({i: moved.x[i] + factor * distances[i] + imaginary[i] for i in indices})

    ratios = [float(abs(distances[i] / imaginary[i]).max(initial=0.0)) for i in indices]
    return sides_by_complex_step(moved, at, max(ratios), 1.0)


def is_analytic(moved: MovedFunction, kinks: numpy.ndarray, rng: numpy.random.Generator) -> bool:
    """Return whether the complex step agrees with differences along a random direction.

    Parameters
    ----------
    moved : MovedFunction
    kinks : bool array
        Outputs with a kink, which are left out.
    rng : numpy.random.Generator
    """
    indices = moved.function.differentiable
    direction = {i: random_factors(rng, moved.x[i].shape) * moved.scales[i] for i in indices}
    unit = 2.0**-66
    y = moved.at({i: moved.x[i] + unit * 1j * direction[i] for i in indices})
    slopes = y.imag / unit
    disagree, gap = ~kinks & numpy.isfinite(slopes), None
    for h in PROBES:  # a kink nearby is outside the smaller step
        plus, minus = (
            moved.at({i: moved.x[i] + t * direction[i] for i in indices}) for t in (h, -h)
        )
        difference = (plus - minus) / (2 * h)
        noise = numpy.maximum(moved.noise, moved.epsilon * numpy.maximum(abs(plus), abs(minus)))
        size = numpy.maximum(abs(slopes), abs(difference))
        bound = DISAGREEMENT * size + 32 * noise / h
        disagree &= numpy.isfinite(difference) & (abs(difference - slopes) > bound)
        if gap is not None:  # neither noise nor curvature gives the same difference twice
            disagree &= abs((difference - slopes) - gap) <= abs(gap) / 8
        gap = difference - slopes
        if not disagree.any():
            return True
    return not (disagree & _disagree_at_a_distance(moved, direction)).any()


def _disagree_at_a_distance(moved, direction):
    """Return for which outputs the two disagree by steps that do not depend on the entries.

    Around entries near 0, a term that is much larger may round all outputs to the same number.
    """
    h, unit = PROBES[0], 2.0**-66
    signs = {i: numpy.sign(d) for i, d in direction.items()}
    plus, minus, y = (
        moved.at({i: moved.x[i] + t * sign for i, sign in signs.items()})
        for t in (h, -h, unit * 1j)
    )
    difference, slopes = (plus - minus) / (2 * h), y.imag / unit
    size = numpy.maximum(abs(slopes), abs(difference))
    return ~(abs(difference - slopes) <= DISTANT_DISAGREEMENT * size)


def find_kinks(
    moved: MovedFunction,
    bundles: list[Bundle],
    by_complex_step: bool,
    rng: numpy.random.Generator,
) -> dict[int, KinkSlopes]:
    """Find the entries of a leaf at which the function has a kink.

    Several bundles are moved at once, and divided into halves while one of them has a kink.

    Parameters
    ----------
    moved : MovedFunction
    bundles : list of Bundle
        Of all entries of the leaf.
    by_complex_step : bool
        Otherwise by differences.
    rng : numpy.random.Generator

    Returns
    -------
    kinks : dict of int to KinkSlopes
        By index of the entry in the flattened leaf.
    """
    if not bundles:
        return {}
    moved.progress.start(f"kinks of {moved.function.names[bundles[0].leaf_index]}")
    kinks, parts = {}, [bundles]
    while parts:
        part = parts.pop()
        if len(part) == 1:
            kinks |= kinks_of(moved, part[0], by_complex_step)
        elif _has_kink(moved, part, by_complex_step, rng):
            parts += [part[: len(part) // 2], part[len(part) // 2 :]]
    return kinks


def _has_kink(moved, bundles, by_complex_step, rng):
    i = bundles[0].leaf_index
    together = Bundle(i, numpy.concatenate([bundle.entries for bundle in bundles]))
    x = moved.x[i].reshape(-1)[together.entries]
    scale = moved.scales[i].reshape(-1)[together.entries]
    factors = random_factors(rng, x.shape)
    if by_complex_step:
        distance, h = factors * next_to(x, scale), factors * steps(x, scale)

        def at(factor):
            return moved.step(together, factor * distance + 1j * h)

        return sides_by_complex_step(moved, at, float(abs(distance / h).max()), 1.0).is_kink.any()

    def at(step):
        return moved.step(together, step * factors * scale)

    point_noise = EPSILON * max(1.0, float((abs(x) / scale).max()))
    return sides_by_differences(moved, at, 1.0, point_noise).is_kink.any()
