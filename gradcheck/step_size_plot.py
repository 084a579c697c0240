"""The picture: error against step size, the V of differences beside the flat complex step."""

import io

import numpy

from kvnet.errors import InputError

from .cases import Subject
from .central_differences import difference
from .contract import sound_forward, sound_gradients
from .differentiable_function import DifferentiableFunction
from .weighted_output import WeightedOutput

STEPS = 10.0 ** numpy.arange(0, -30.5, -0.5)
EXACT = 1e-17  # what stands for no error at all on a logarithmic axis


def errors_by_step(subject: Subject, xp, seed: int) -> dict[str, numpy.ndarray]:
    """Measure the relative error of a slope along a random direction for every step size.

    Parameters
    ----------
    subject : Subject
    xp : module
        Array module.
    seed : int
        Of the case and the direction.

    Returns
    -------
    errors : dict of str to array
        One array as long as `STEPS` a method.
    """
    numbers = {n: v[-1] for n, v in subject.options().items()}  # the largest sizes
    numbers |= subject.combinations()[0] | {"words": "padded", "allowed": "all", "seed": seed}
    known = subject.options().keys() | subject.variants.keys() | {"seed"}
    case = subject.case(xp, "float64", {n: v for n, v in numbers.items() if n in known})
    rng = numpy.random.default_rng(seed)
    taken = DifferentiableFunction(case.function, case.inputs, case.constants)
    output, backward = sound_forward(taken)
    d_output = rng.standard_normal(output.shape)
    gradient, *_ = sound_gradients(taken, backward, numpy.asarray(d_output))
    direction = rng.standard_normal(gradient.shape)
    loss = WeightedOutput(taken, numpy.asarray(d_output), dict.fromkeys(taken.free, 0.0), rng)
    moved = loss.along(taken.free[0], direction)
    exact = (gradient * direction).sum()
    slopes = {
        "forward differences": [(moved(h) - moved(0.0)) / h for h in STEPS],
        "central differences": [difference(moved, h) for h in STEPS],
        "complex step": [moved(1j * h).imag / h for h in STEPS],
    }
    return {name: abs(numpy.array(s) - exact) / abs(exact) for name, s in slopes.items()}


def draw(subject: Subject, xp, seed: int) -> bytes:
    """Draw the picture.

    Parameters
    ----------
    subject, xp, seed
        As for `errors_by_step`.

    Returns
    -------
    png : bytes

    Raises
    ------
    InputError
        If Matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("--plot needs Matplotlib; install it: pip install 'kvnet[plot]'") from None
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, errors in errors_by_step(subject, xp, seed).items():
        axes.loglog(STEPS, numpy.maximum(errors, EXACT), marker=".", label=name)
    axes.invert_xaxis()
    axes.set_xlabel("step size h")
    axes.set_ylabel("relative error of the slope")
    axes.set_title(f"{subject.name}: differences cancel, a complex step does not")
    axes.grid(alpha=0.3)
    axes.legend()
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    return png.getvalue()
