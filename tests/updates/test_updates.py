"""Updates, textbook and fused, against their formulas."""

import numpy
import pytest

from kvnet.kernels import choose_updates
from kvnet.operations import normal
from kvnet.parameter_vector import by_name
from kvnet.updates import RowGradient, UpdateRule
from kvnet.updates.noisy_adam import clip_by_norm, gradient_noise
from kvnet.updates.row_gradient import dense
from kvnet.updates.spectral_sgd import clip_by_spectral_norm


@pytest.fixture(params=["reference", "fused"])
def updates(request):
    return choose_updates(request.param, numpy)


def test_clip_shortens_long_gradients_only():
    g = numpy.array([[3.0, 4.0]])
    numpy.testing.assert_allclose(clip_by_norm(numpy, g, 2.5), [[1.5, 2.0]])
    numpy.testing.assert_array_equal(clip_by_norm(numpy, g, 20.0), g)
    assert (clip_by_norm(numpy, 0 * g, 20.0) == 0).all()


def test_noise_has_its_deviation_and_omits_silent_parts():
    rule = UpdateRule(((0, 4000),), ((0, 7), (100, 110)), 0.1, 20.0, 0.1, 5, noise_deviation=0.02)
    noise = gradient_noise(numpy, numpy.empty(4000), rule, step=7)
    assert noise.std() == pytest.approx(0.02, rel=0.03)
    assert abs(noise.mean()) < 0.001
    assert (numpy.flatnonzero(noise == 0) == [*range(7), *range(100, 110)]).all()
    assert (gradient_noise(numpy, numpy.empty(4000), rule, step=8) != noise)[200:].all()


def test_noisy_adam_is_the_formula(updates, rng):
    sections, silent, l2_lambda = ((0, 30), (30, 36), (36, 50)), ((30, 33),), 0.3
    rule = UpdateRule(sections, silent, l2_lambda, clip_norm=2.0, epsilon=0.1, random_state=9)
    theta, m, v = rng.normal(size=50), numpy.zeros(50), numpy.zeros(50)
    expected, expected_m, expected_v = theta.copy(), m.copy(), v.copy()
    clipped = set()
    for step, rate in enumerate((0.1, 0.1, 0.05)):
        gradient = rng.normal(size=50)
        gradient[30:36] *= 0.1  # short enough not to be clipped
        penalty = updates.noisy_adam(numpy, theta, gradient.copy(), m, v, step, rate, rule)
        assert float(penalty) == pytest.approx(l2_lambda / 2 * (expected**2).sum(), rel=1e-12)

        g = gradient + l2_lambda * expected
        for start, stop in sections:
            norm = (g[start:stop] ** 2).sum() ** 0.5
            clipped.add((start, norm > 2))
            g[start:stop] *= min(1, 2 / norm)
        noise = 1e-3 * normal(numpy, 9, "gradient noise", step, (50,), "float64")
        noise[30:33] = 0
        g += noise
        expected_m = 0.9 * expected_m + 0.1 * g
        expected_v = 0.999 * expected_v + 0.001 * g**2
        t = step + 1
        corrected = rate * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t)
        expected = expected - corrected * expected_m / (expected_v**0.5 + 0.1)
        for array, value in ((m, expected_m), (v, expected_v), (theta, expected)):
            numpy.testing.assert_allclose(array, value, rtol=1e-10, atol=1e-14)
    assert {(0, True), (30, False)} <= clipped


def tables_and_gradients(rng):
    """Draw a table A with a gradient for 500 rows, a matrix C and a vector b."""
    shapes = {"A": (700, 3), "C": (2, 3), "b": (4,)}
    tables, gradients = (
        {name: rng.normal(size=shape) for name, shape in shapes.items()} for _ in range(2)
    )
    gradients["A"] = RowGradient(rng.permutation(700)[:500], rng.normal(size=(500, 3)))
    return tables, gradients


def test_dense_has_zeros_where_a_row_gradient_has_no_row(rng):
    tables, gradients = tables_and_gradients(rng)
    rows, values = gradients["A"]
    whole = dense(numpy, gradients, tables)
    assert whole["b"] is gradients["b"] and whole["A"].shape == tables["A"].shape
    assert (whole["A"][rows] == values).all()
    assert numpy.count_nonzero(whole["A"]) == values.size


@pytest.mark.parametrize("clip", ["global", "each"])
@pytest.mark.parametrize("max_norm", [0.7, 1e6])
def test_sgd_is_the_formula(updates, rng, clip, max_norm):
    tables, gradients = tables_and_gradients(rng)
    whole = dense(numpy, gradients, tables)
    norms = {name: numpy.linalg.norm(g) for name, g in whole.items()}
    if clip == "global":
        norms = dict.fromkeys(norms, numpy.linalg.norm([*norms.values()]))
    params = {name: table.copy() for name, table in tables.items()}
    updates.sgd(numpy, params, gradients, 0.1, max_norm, clip)
    for name, g in whole.items():
        expected = tables[name] - 0.1 * g * min(1, max_norm / norms[name])
        numpy.testing.assert_allclose(params[name], expected, rtol=1e-12)
    unchanged = numpy.setdiff1d(numpy.arange(700), gradients["A"].rows)
    assert (params["A"][unchanged] == tables["A"][unchanged]).all()


@pytest.mark.parametrize("clip", ["global", "each"])
def test_adagrad_is_the_formula(updates, rng, clip):
    tables, gradients = tables_and_gradients(rng)
    sums = {name: rng.uniform(0.5, 2, size=table.shape) for name, table in tables.items()}
    whole = dense(numpy, gradients, tables)
    norms = {name: numpy.linalg.norm(g) for name, g in whole.items()}
    if clip == "global":
        norms = dict.fromkeys(norms, numpy.linalg.norm([*norms.values()]))
    params, squares = ({n: a.copy() for n, a in arrays.items()} for arrays in (tables, sums))
    updates.adagrad(numpy, params, squares, gradients, 0.1, 0.7, clip)
    for name, g in whole.items():
        g = g * (0.7 / norms[name])
        numpy.testing.assert_allclose(squares[name], sums[name] + g**2, rtol=1e-12)
        expected = tables[name] - 0.1 * g / numpy.sqrt(sums[name] + g**2)
        numpy.testing.assert_allclose(params[name], expected, rtol=1e-12)


def test_spectral_clip_bounds_the_largest_singular_value(rng):
    g = rng.normal(size=(30, 6))
    largest = numpy.linalg.svd(g, compute_uv=False)[0]
    clipped = clip_by_spectral_norm(numpy, g, largest / 2)
    numpy.testing.assert_allclose(clipped, g / 2, rtol=1e-10)
    # Its Frobenius norm is above the bound and its spectral norm below: nothing to clip.
    numpy.testing.assert_allclose(clip_by_spectral_norm(numpy, g, largest * 1.01), g, rtol=1e-12)


def test_spectral_sgd_clips_each_matrix_separately(updates, rng):
    shapes = {"A": (30, 6), "B": (4, 5), "b": (10,)}
    theta, gradient = rng.normal(size=210), rng.normal(size=210)
    gradient[180:200] *= 0.01
    before, after = by_name(theta.copy(), shapes), by_name(theta, shapes)
    updates.spectral_sgd(numpy, theta, gradient, shapes, 0.1, 0.7)
    for name, g in by_name(gradient, shapes).items():
        matrix = g if g.ndim == 2 else g[:, None]
        scale = min(1, 0.7 / numpy.linalg.svd(matrix, compute_uv=False)[0])
        assert (scale < 1) == (name != "B")
        expected = before[name] - 0.1 * scale * g
        numpy.testing.assert_allclose(after[name], expected, rtol=1e-10)
