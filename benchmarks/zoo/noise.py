"""How exactly a gradient can be known: the noise of a function and of its gradient.

This is independent of gradcheck: it moves the inputs by their last digit, and, knowing the right
gradient, measures how near central differences get to it.
"""

import numpy

MOVES = 8
STEPS = 2.0 ** -numpy.arange(2, 26)


def last_digits(inputs, rng):
    """Return the inputs with some entries moved by one unit in the last place."""
    directions = [rng.choice([-numpy.inf, numpy.inf], x.shape) for x in inputs]
    moved = [numpy.nextafter(x, d) for x, d in zip(inputs, directions, strict=True)]
    return [numpy.where(x == 0, x, y) for x, y in zip(inputs, moved, strict=True)]


def gradient_noise(function, d_output, right) -> list:
    """Return the noise of each entry of the gradients: their change by the last digit of inputs."""
    rng = numpy.random.default_rng(function.seed + 1)
    epsilon = numpy.finfo("float64").eps
    noise = [epsilon * abs(g) for g in right]
    for _ in range(MOVES):
        try:
            moved = function.gradients(last_digits(function.inputs, rng), d_output)
        except Exception:  # outside the function's domain
            continue
        noise = [
            numpy.fmax(n, numpy.nan_to_num(abs(a - b), nan=0.0, posinf=0.0))
            for n, a, b in zip(noise, moved, right, strict=True)
        ]
    return noise


def value_noise(function, d_output) -> float:
    """Return the noise of the weighted sum of the output."""
    rng = numpy.random.default_rng(function.seed + 2)
    output = function.forward(*function.inputs)
    here = (d_output * output).sum()
    single = (output == output.astype("float32")).all()  # it computes in float32, or in integers
    epsilon = numpy.finfo("float32" if single else "float64").eps
    noise = epsilon * float(abs(d_output * output).sum())
    for _ in range(MOVES):
        try:
            moved = function.forward(*last_digits(function.inputs, rng))
        except Exception:  # outside the function's domain
            continue
        if moved.shape == output.shape:
            noise = numpy.fmax(noise, abs(float((d_output * moved).sum() - here)))
    return float(noise)


def attainable_by_differences(function, d_output, right, noise, most_entries=48) -> list:
    """Return how near the best extrapolated central difference gets to each entry.

    It is the smallest of ``|difference - right| + noise / h`` over many steps h.
    """
    nearest = [numpy.full(g.shape, numpy.inf) for g in right]
    for i, g in enumerate(right):
        for index in list(numpy.ndindex(g.shape))[:most_entries]:
            nearest[i][index] = _nearest(function, d_output, i, index, g[index], noise)
    return nearest


def _nearest(function, d_output, i, index, slope, noise):
    x = float(function.inputs[i][index])
    best = numpy.inf
    scales = [1.0] if abs(x) > 1e-2 or x == 0 else [1.0, abs(x)]
    for scale in scales:
        row = [_difference(function, d_output, i, index, scale * h) for h in STEPS[::2]]
        row = numpy.array(row)
        finer = row[1:] + (row[1:] - row[:-1]) / 15  # every second step: the error falls by 16
        errors = abs(finer - slope) + noise / (scale * STEPS[2::2])
        best = min(best, numpy.nanmin(numpy.append(errors, numpy.inf)))
    return best


def _difference(function, d_output, i, index, h):
    values = []
    for step in (h, -h):
        moved = list(function.inputs)
        moved[i] = numpy.array(moved[i])
        moved[i][index] += step
        try:
            output = function.forward(*moved)
        except Exception:  # outside the function's domain
            return numpy.nan
        values.append((d_output * output).sum() if output.shape == d_output.shape else numpy.nan)
    return (values[0] - values[1]) / (2 * h)


def is_kink(function, d_output, i, index) -> bool:
    """Return whether one-sided slopes differ however small the step is."""
    x = abs(float(function.inputs[i][index])) or 1.0
    gaps = []
    for exponent in (-8, -12, -16, -20):
        h = min(1.0, x) * 2.0**exponent
        left, right = (_one_sided(function, d_output, i, index, s * h) for s in (-1, 1))
        gaps.append(abs(left - right) / (abs(left) + abs(right) or 1.0))
    return min(gaps) > 1e-3 and gaps[-1] > gaps[0] / 16


def _one_sided(function, d_output, i, index, h):
    values = []
    for step in (0.0, h, 2 * h):
        moved = list(function.inputs)
        moved[i] = numpy.array(moved[i])
        moved[i][index] += step
        values.append(float((d_output * function.forward(*moved)).sum()))
    return (-3 * values[0] + 4 * values[1] - values[2]) / (2 * h)
