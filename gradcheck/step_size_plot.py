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


def plotted_parameters(subject: Subject, seed: int) -> dict:
    """Return the parameters of the case that is plotted: the first variant, the largest sizes."""
    parameters = {n: v[-1] for n, v in subject.options().items()} | subject.combinations()[0]
    parameters |= {"words": "padded", "allowed": "all", "with_softmax": True, "seed": seed}
    known = subject.options().keys() | subject.variants.keys() | {"seed"}
    return {n: v for n, v in parameters.items() if n in known}


def errors_by_step(subject: Subject, xp, seed: int, leaf: int = 0) -> dict[str, numpy.ndarray]:
    """Measure the relative error of a slope along a random direction for every step size.

    Parameters
    ----------
    subject : Subject
    xp : module
        Array module.
    seed : int
        Seed of the case and the direction.
    leaf : int, default=0
        Which of the inputs with a gradient is moved.

    Returns
    -------
    errors : dict of str to array
        For each method, one error per step size in `STEPS`.
    """
    case = subject.case(xp, "float64", plotted_parameters(subject, seed))
    rng = generator(seed)
    wrapped = DifferentiableFunction(case.function, case.inputs, case.constants)
    outputs, backward = check_forward(wrapped)
    d_outputs = draw_weights(outputs, rng)
    gradient = check_backward(wrapped, backward, d_outputs)[leaf]
    direction = random_factors(rng, gradient.shape)
    moved = MovedFunction(wrapped, d_outputs, Progress(hint=False))
    leaf_index = wrapped.differentiable[leaf]

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
    figure = figure_of(errors_by_step(subject, xp, seed))
    figure.axes[0].set_title(f"{subject.name}: differences cancel, a complex step does not")
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    return png.getvalue()


def figure_of(errors: dict[str, numpy.ndarray]):
    """Return the plot as a figure of Matplotlib.

    Parameters
    ----------
    errors : dict of str to array
        As `errors_by_step` returns them.

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
    for name, of_method in errors.items():
        axes.loglog(STEPS, numpy.maximum(of_method, SMALLEST_ERROR), marker=".", label=name)
    axes.invert_xaxis()
    axes.set_xlabel("step size h")
    axes.set_ylabel("relative error of the slope")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
