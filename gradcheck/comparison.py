"""Comparison of one input's gradient with its numeric derivatives."""

from typing import NamedTuple

import numpy

from kvnet.gradcheck.kinks import Kink
from kvnet.gradcheck.random_directions import directional_errors, worst_entry
from kvnet.gradcheck.report import CheckedInput
from kvnet.gradcheck.weighted_output import WeightedOutput

UNDECIDED = 1e-4  # relative error of a method above which a comparison with it shows nothing


class Entry(NamedTuple):
    """One entry of a gradient.

    Attributes
    ----------
    index : tuple of int or None
    analytic, numeric : float or None
        The derivative by the backward pass and by the method.
    """

    index: tuple[int, ...] | None = None
    analytic: float | None = None
    numeric: float | None = None


class Measurement(NamedTuple):
    """Difference between a gradient and the derivatives of one method, without kinks.

    Attributes
    ----------
    difference : float
        ‖analytic - numeric‖.
    error : float
        The method's own error, in norm.
    norm : float
        Norm of the method's gradient.
    zeros : int
        Number of entries that are exactly zero by both.
    worst : Entry
        The entry with the largest difference, or an empty one if it is unknown.
    """

    difference: float
    error: float
    norm: float
    zeros: int = 0
    worst: Entry = Entry()


def compare(
    loss: WeightedOutput,
    leaf_index: int,
    gradient: numpy.ndarray,
    rounding: float,
    has_kink: bool,
    method: str,
    rng: numpy.random.Generator,
) -> CheckedInput:
    """Compare the gradient of one leaf with one method.

    Parameters
    ----------
    loss : WeightedOutput
    leaf_index : int
    gradient : array
        As backward returned it.
    rounding : float
        Bound of its rounding error, in norm.
    has_kink : bool
        Whether to search for kinks.
    method : str
    rng : numpy.random.Generator

    Returns
    -------
    checked : CheckedInput
    """
    name, dtype = loss.function.names[leaf_index], gradient.dtype.name
    gradient = gradient.astype("float64")
    kinks = find_kinks(loss, leaf_index, rng) if has_kink else []
    smooth = numpy.ones(gradient.shape, bool)
    for kink in kinks:
        smooth[kink.index] = False
    by_complex_step = method != "central_differences" and loss.complex_step_fault is None
    measure = measure_entries
    if method == "random_directions":
        method += " by " + ("complex step" if by_complex_step else "central differences")
        measure = measure_directions
    measured = measure(loss, leaf_index, gradient, smooth, by_complex_step, rng)
    difference, error = measured.difference, measured.error
    if by_complex_step:
        error += loss.complex_step_noise(leaf_index, rng)
    # Where all of these are zero, any divisor will do.
    size = max(measured.norm, loss.floors[leaf_index]) or difference or 1.0
    checked = CheckedInput(
        name=name,
        shape=gradient.shape,
        dtype=dtype,
        method=method,
        entries=gradient.size,
        zeros=measured.zeros,
        kinks=kinks,
        norm=measured.norm,
        size=size,
        error=difference / size,
        tolerance=(rounding + error) / size,
        **measured.worst._asdict(),
    )
    if error > UNDECIDED * size and error > loss.noise**0.5:
        checked.fault = f"undecided: the derivatives do not converge (error {error:.1e})"
    elif not checked.error <= checked.tolerance:
        checked.fault = _wrong_gradient(checked, loss, leaf_index, by_complex_step)
    elif wrong := _outside_its_kink(kinks, gradient, rounding):
        checked.fault = (
            f"{gradient[wrong.index]:.6g}, which is not between the slopes at the kink {wrong}"
        )
    return checked


def find_kinks(loss: WeightedOutput, leaf_index: int, rng: numpy.random.Generator) -> list[Kink]:
    """List the entries of a leaf at which the loss has a kink.

    A step along a random direction moves all entries at once and shows whether there is a kink.
    Only if there is one are the entries examined one by one.
    """
    direction = rng.standard_normal(loss.host_leaf(leaf_index).shape)
    if loss.kink_slopes(loss.along(leaf_index, direction), leaf_index) is None:
        return []
    kinks = []
    for index in numpy.ndindex(direction.shape):
        slopes = loss.kink_slopes(loss.along_entry(leaf_index, index), leaf_index)
        if slopes is not None:
            kinks.append(Kink(index, *slopes))
    return kinks


def measure_entries(loss, leaf_index, gradient, smooth, by_complex_step, rng) -> Measurement:
    """Differentiate by each entry separately.

    Parameters
    ----------
    loss : WeightedOutput
    leaf_index : int
    gradient : array
        In float64.
    smooth : bool array of the gradient's shape
        False for entries at a kink, which are left out.
    by_complex_step : bool
        Otherwise by central differences.
    rng : numpy.random.Generator
        Not used.
    """
    numeric, errors = numpy.zeros_like(gradient), numpy.zeros_like(gradient)
    for index in numpy.argwhere(smooth):
        index = tuple(index)
        f = loss.along_entry(leaf_index, index)
        numeric[index], errors[index] = loss.slope(f, leaf_index, by_complex_step)
    differences = numpy.where(smooth, gradient - numeric, 0)
    worst = Entry()
    if gradient.size:
        index = numpy.unravel_index(abs(differences).argmax(), gradient.shape)
        worst = _entry(index, gradient[index], numeric[index])
    return Measurement(
        difference=float(numpy.linalg.norm(differences)),
        error=float(numpy.linalg.norm(errors)),
        norm=float(numpy.linalg.norm(numeric)),
        zeros=int((smooth & (gradient == 0) & (numeric == 0)).sum()),
        worst=worst,
    )


def measure_directions(loss, leaf_index, gradient, smooth, by_complex_step, rng) -> Measurement:
    """Differentiate along random directions; search the worst entry only if the slopes differ.

    Parameters
    ----------
    loss, leaf_index, gradient, smooth, by_complex_step, rng
        As for `measure_entries`; all results are estimates.
    """

    def slope_along(direction):
        return loss.slope(loss.along(leaf_index, direction), leaf_index, by_complex_step)

    difference, norm, error = directional_errors(slope_along, gradient, smooth, rng)
    worst = Entry()
    if not difference <= error:  # also if a derivative is NaN
        index = worst_entry(slope_along, gradient, smooth, rng)
        numeric, _ = loss.slope(loss.along_entry(leaf_index, index), leaf_index, by_complex_step)
        worst = _entry(index, gradient[index], numeric)
    return Measurement(difference, error, norm, worst=worst)


def _entry(index, analytic, numeric):
    return Entry(tuple(int(i) for i in index), float(analytic), float(numeric))


def _wrong_gradient(checked, loss, leaf_index, by_complex_step):
    wrong = (
        f"wrong at {list(checked.index)}: analytic {checked.analytic:.17g}, numeric "
        f"{checked.numeric:.17g} ({checked.method}); error {checked.error:.1e}, tolerance "
        f"{checked.tolerance:.1e}, relative to the whole gradient"
    )
    if by_complex_step:
        f = loss.along_entry(leaf_index, checked.index)
        slope, error = loss.slope(f, leaf_index, by_complex_step=False)
        if abs(checked.analytic - slope) <= 10 * error < abs(checked.numeric - slope):
            return (
                f"{wrong}; but central differences give {slope:.17g}, like the backward pass: the "
                "forward pass loses imaginary parts (by abs, real, conj or a cast); rewrite it "
                "without them, or use method='central_differences'"
            )
    return wrong


def _outside_its_kink(kinks, gradient, rounding):
    for kink in kinks:
        slack = rounding + 1e-6 * max(abs(kink.left), abs(kink.right))
        low, high = sorted([kink.left, kink.right])
        if not low - slack <= gradient[kink.index] <= high + slack:
            return kink
    return None
