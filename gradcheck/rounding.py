"""How far rounding alone may move a gradient."""

import numpy

from kvnet.backend import to_numpy

from .contract import as_incoming
from .differentiable_function import DifferentiableFunction, on_device_of
from .function_noise import noise_of, points_beside

FACTOR = 16  # standard deviations of the noise, which is itself an estimate


def rounding_tolerances(
    function: DifferentiableFunction,
    results: list[numpy.ndarray],
    d_output: numpy.ndarray,
    floors: list[float],
    rng: numpy.random.Generator,
) -> list[float]:
    """Bound the rounding error of each result: ``16 (noise + ε ‖result‖ + ε floor)``.

    Parameters
    ----------
    function : DifferentiableFunction
    results : list of array
        The output, and the gradient of each free leaf.
    d_output : array
    floors : list of float
        Size of the terms that cancel in each result.
    rng : numpy.random.Generator

    Returns
    -------
    tolerances : list of float
        Of ``‖difference‖``, one a result.
    """
    at_points = _results_beside(function, d_output, rng)
    tolerances = []
    for result, floor, values in zip(results, floors, zip(*at_points, strict=True), strict=True):
        epsilon = numpy.finfo(result.dtype).eps
        size = numpy.linalg.norm(result) + floor
        tolerances.append(float(FACTOR * (noise_of(values) + epsilon * size)))
    return tolerances


def _results_beside(function, d_output, rng):
    arrays = [to_numpy(function.leaves[place]) for place in function.free]
    lines = [points_beside(x, numpy.finfo(x.dtype).eps, rng) for x in [d_output, *arrays]]
    at_points = []
    for d_moved, *moved in zip(*lines, strict=True):
        leaves = list(function.leaves)
        for place, x in zip(function.free, moved, strict=True):
            leaves[place] = on_device_of(leaves[place], x)
        output, backward = function(leaves)
        gradients = function.gradients(backward(as_incoming(function, d_moved)))
        at_points.append([output, *(numpy.array(to_numpy(g)) for g in gradients)])
    return at_points
