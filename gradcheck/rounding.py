"""A bound on the rounding error of a gradient."""

import numpy

from kvnet.backend import to_numpy
from kvnet.gradcheck.contract import backward_argument
from kvnet.gradcheck.differentiable_function import DifferentiableFunction, on_device_of
from kvnet.gradcheck.function_noise import estimate_noise, nearby_points

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
        The output, and the gradient of each differentiable leaf.
    d_output : array
    floors : list of float
        Size of the terms that cancel in each result.
    rng : numpy.random.Generator

    Returns
    -------
    tolerances : list of float
        Bounds of ``‖difference‖``, one per result.
    """
    at_points = _results_at_nearby_points(function, d_output, rng)
    tolerances = []
    for result, floor, values in zip(results, floors, zip(*at_points, strict=True), strict=True):
        epsilon = numpy.finfo(result.dtype).eps
        size = numpy.linalg.norm(result) + floor
        tolerances.append(float(FACTOR * (estimate_noise(values) + epsilon * size)))
    return tolerances


def _results_at_nearby_points(function, d_output, rng):
    arrays = [to_numpy(function.leaves[leaf_index]) for leaf_index in function.differentiable]
    lines = [nearby_points(x, numpy.finfo(x.dtype).eps, rng) for x in [d_output, *arrays]]
    at_points = []
    for moved_d_output, *moved in zip(*lines, strict=True):
        leaves = list(function.leaves)
        for leaf_index, x in zip(function.differentiable, moved, strict=True):
            leaves[leaf_index] = on_device_of(leaves[leaf_index], x)
        output, backward = function(leaves)
        gradients = function.flat_gradients(backward(backward_argument(function, moved_d_output)))
        at_points.append([output, *(numpy.array(to_numpy(g)) for g in gradients)])
    return at_points
