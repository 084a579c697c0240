"""One input's gradient beside its numeric derivatives."""

import numpy

from .kinks import Kink
from .random_directions import directional_errors, worst_entry
from .report import CheckedInput
from .weighted_output import WeightedOutput

UNDECIDED = 1e-4  # a method that knows a gradient no better than this proves nothing about it


def compare(
    loss: WeightedOutput,
    place: int,
    gradient: numpy.ndarray,
    rounding: float,
    has_kink: bool,
    method: str,
    rng: numpy.random.Generator,
) -> CheckedInput:
    """Compare one gradient with one method.

    Parameters
    ----------
    loss : WeightedOutput
    place : int
        Of the leaf.
    gradient : array
        What backward returned for it.
    rounding : float
        How far rounding may move it, in norm.
    has_kink : bool
        Whether kinks are to be looked for.
    method : str
    rng : numpy.random.Generator

    Returns
    -------
    checked : CheckedInput
    """
    checked = CheckedInput(
        loss.function.names[place], gradient.shape, gradient.dtype.name, method, gradient.size
    )
    by_complex_step = method != "central_differences" and loss.refusal is None
    gradient = gradient.astype("float64")
    checked.kinks = find_kinks(loss, place, rng) if has_kink else []
    free = numpy.ones(gradient.shape, bool)
    for kink in checked.kinks:
        free[kink.index] = False
    if method == "random_directions":
        checked.method += " by " + ("complex step" if by_complex_step else "central differences")
        measure = direction_errors
    else:
        measure = entry_errors
    difference, error = measure(checked, loss, place, gradient, free, by_complex_step, rng)
    if by_complex_step:
        error += loss.complex_step_noise(place, rng)
    # Where all is zero, errors are relative to any number.
    checked.size = size = max(checked.norm, loss.floors[place]) or difference or 1.0
    checked.error, checked.tolerance = difference / size, (rounding + error) / size
    if error > UNDECIDED * size and error > loss.noise**0.5:
        checked.fault = f"undecided: its derivatives do not converge (error {error:.1e})"
    elif not checked.error <= checked.tolerance:
        checked.fault = _fault(checked, loss, place, by_complex_step)
    elif wrong := _outside_its_kink(checked.kinks, gradient, rounding):
        checked.fault = f"{gradient[wrong.index]:.6g} is not between the slopes at the kink {wrong}"
    return checked


def find_kinks(loss: WeightedOutput, place: int, rng: numpy.random.Generator) -> list[Kink]:
    """List the entries of a leaf at which the loss has a kink.

    A random direction moves every entry at once and shows whether there is any; only then are they
    looked at one by one.
    """
    direction = rng.standard_normal(loss.host(place).shape)
    if loss.kink(loss.along(place, direction), place) is None:
        return []
    found = []
    for index in numpy.ndindex(direction.shape):
        slopes = loss.kink(loss.along_entry(place, index), place)
        if slopes is not None:
            found.append(Kink(index, *slopes))
    return found


def entry_errors(checked, loss, place, gradient, free, by_complex_step, rng):
    """Differentiate by every entry; note the worst one.

    Returns
    -------
    difference : float
        ‖analytic - numeric‖ without kinks.
    error : float
        The method's own.
    """
    numeric, errors = numpy.zeros_like(gradient), numpy.zeros_like(gradient)
    for index in numpy.argwhere(free):
        index = tuple(index)
        moved = loss.along_entry(place, index)
        numeric[index], errors[index] = loss.slope(moved, place, by_complex_step)
    apart = numpy.where(free, gradient - numeric, 0)
    checked.norm = float(numpy.linalg.norm(numeric))
    checked.zeros = int((free & (gradient == 0) & (numeric == 0)).sum())
    if gradient.size:
        worst = numpy.unravel_index(abs(apart).argmax(), gradient.shape)
        _note(checked, worst, gradient[worst], numeric[worst])
    return float(numpy.linalg.norm(apart)), float(numpy.linalg.norm(errors))


def direction_errors(checked, loss, place, gradient, free, by_complex_step, rng):
    """Differentiate along random directions; note the worst entry if they are not as they should.

    Returns
    -------
    difference, error : float
        As of `entry_errors`, estimated.
    """

    def slope_along(direction):
        return loss.slope(loss.along(place, direction), place, by_complex_step)

    difference, checked.norm, error = directional_errors(slope_along, gradient, free, rng)
    if difference > error:
        worst = worst_entry(slope_along, gradient, free, rng)
        numeric, _ = loss.slope(loss.along_entry(place, worst), place, by_complex_step)
        _note(checked, worst, gradient[worst], numeric)
    return difference, error


def _note(checked, index, analytic, numeric):
    checked.index = tuple(int(i) for i in index)
    checked.analytic, checked.numeric = float(analytic), float(numeric)


def _fault(checked, loss, place, by_complex_step):
    wrong = (
        f"wrong at {list(checked.index)}: analytic {checked.analytic:.17g}, numeric "
        f"{checked.numeric:.17g} ({checked.method}); error {checked.error:.1e}, tolerance "
        f"{checked.tolerance:.1e}, relative to the whole gradient"
    )
    if by_complex_step:
        moved = loss.along_entry(place, checked.index)
        slope, error = loss.slope(moved, place, by_complex_step=False)
        if abs(checked.analytic - slope) <= 10 * error < abs(checked.numeric - slope):
            return (
                f"{wrong}; but central differences give {slope:.17g}, as the backward pass does: "
                "the forward pass loses imaginary parts (abs, real, conj, a cast); write it "
                "without, or take method='central_differences'"
            )
    return wrong


def _outside_its_kink(kinks, gradient, rounding):
    for kink in kinks:
        slack = rounding + 1e-6 * max(abs(kink.left), abs(kink.right))
        low, high = sorted([kink.left, kink.right])
        if not low - slack <= gradient[kink.index] <= high + slack:
            return kink
    return None
