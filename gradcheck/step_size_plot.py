"""Plot of error against step size, for finite differences and the complex step."""

import io

import numpy

from kvnet.errors import InputError
from kvnet.gradcheck.cases import Subject
from kvnet.gradcheck.check_gradients import draw_weights
from kvnet.gradcheck.contract import check_backward, check_forward
from kvnet.gradcheck.differentiable_function import DifferentiableFunction
from kvnet.gradcheck.moved_function import MovedFunction
from kvnet.gradcheck.progress import Progress
from kvnet.gradcheck.random_numbers import generator, random_factors

STEPS = 10.0 ** numpy.arange(0, -30.5, -0.5)
SMALLEST_ERROR = 1e-17  # plotted in place of zero, which a logarithmic axis cannot show


def errors_by_step(subject: Subject, xp, seed: int) -> dict[str, numpy.ndarray]:
    """Measure the relative error of a slope along a random direction for every step size.

    Parameters
    ----------
    subject : Subject
    xp : module
        Array module.
    seed : int
        Seed of the case and the direction.

    Returns
    -------
    errors : dict of str to array
        For each method, one error per step size in `STEPS`.
    """
    parameters = {n: v[-1] for n, v in subject.options().items()}  # the largest sizes
    parameters |= subject.combinations()[0] | {"words": "padded", "allowed": "all", "seed": seed}
    known = subject.options().keys() | subject.variants.keys() | {"seed"}
    case = subject.case(xp, "float64", {n: v for n, v in parameters.items() if n in known})
    rng = generator(seed)
    wrapped = DifferentiableFunction(case.function, case.inputs, case.constants)
    outputs, backward = check_forward(wrapped)
    d_outputs = draw_weights(outputs, rng)
    gradient, *_ = check_backward(wrapped, backward, d_outputs)
    direction = random_factors(rng, gradient.shape)
    moved = MovedFunction(wrapped, d_outputs, Progress(hint=False))
    leaf_index = wrapped.differentiable[0]

    def f(t):
        return moved.weights @ moved.at({leaf_index: moved.x[leaf_index] + t * direction})

    exact = (gradient * direction).sum()
    slopes = {
        "forward differences": [(f(h) - f(0.0)) / h for h in STEPS],
        "central differences": [(f(h) - f(-h)) / (2 * h) for h in STEPS],
        "complex step": [f(1j * h).imag / h for h in STEPS],
    }
    return {name: abs(numpy.array(s) - exact) / abs(exact) for name, s in slopes.items()}


def draw(subject: Subject, xp, seed: int) -> bytes:
    """Draw the plot.

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
        axes.loglog(STEPS, numpy.maximum(errors, SMALLEST_ERROR), marker=".", label=name)
    axes.invert_xaxis()
    axes.set_xlabel("step size h")
    axes.set_ylabel("relative error of the slope")
    axes.set_title(f"{subject.name}: differences cancel, a complex step does not")
    axes.grid(alpha=0.3)
    axes.legend()
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    return png.getvalue()
