"""Functions on which a gradient check can be fooled: for each, a right gradient and a wrong one."""

import subprocess
import sys
import time

import numpy as np
import pytest

from kvnet import InputError
from kvnet.gradcheck import METHODS, GradientError, assert_gradients, check_gradients
from kvnet.gradcheck.differentiable_function import DifferentiableFunction
from kvnet.gradcheck.more_precision import more_precise
from kvnet.gradcheck.progress import Progress
from kvnet.gradcheck.random_numbers import generator, random_factors

DIFFERENCES = METHODS[1:]  # also for functions that do not accept complex numbers
every_method = pytest.mark.parametrize("method", METHODS)


def elementwise(value, slope):
    return lambda x: (value(x), lambda dy: dy * slope(x))


def is_right(function, *inputs, **options):
    try:
        check_gradients(function, *inputs, **options)
    except GradientError:
        return False
    return True


def check_both(value, slope, x, factor, **options):
    """Check that the gradient is accepted, and that it is rejected when multiplied by a factor."""
    check_gradients(elementwise(value, slope), x, **options)
    wrong = elementwise(value, lambda x: factor * slope(x))
    assert not is_right(wrong, x, **options)


@every_method
@pytest.mark.parametrize("seed", [0, 1, 7])
def test_weights_are_independent_of_a_users_random_numbers(method, seed):
    x = np.random.default_rng(seed).normal(size=5)
    options = {"method": method, "seed": seed}
    check_gradients(elementwise(np.sin, np.cos), x, **options)
    uses_x_for_dy = lambda x: (np.sin(x), lambda dy: x * np.cos(x))  # noqa: E731
    assert not is_right(uses_x_for_dy, x, **options)


def test_random_factors_are_never_small_and_have_unit_variance():
    factors = random_factors(generator(0), 10000)
    assert abs(factors).min() > 0.4
    assert factors.mean() == pytest.approx(0, abs=0.05)
    assert factors.std() == pytest.approx(1, abs=0.02)
    with pytest.raises(InputError, match="seed=-1 is not valid"):
        check_gradients(elementwise(np.sin, np.cos), factors, seed=-1)


SINGULAR = {
    "log": (np.log, lambda x: 1 / x),
    "minus log": (lambda x: -np.log(x), lambda x: -1 / x),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2),
    "square": (lambda x: x * x, lambda x: 2 * x),
}


@every_method
@pytest.mark.parametrize("size", [1e-8, 1e-9, 1e-12, 1e-100])
@pytest.mark.parametrize("name", SINGULAR)
def test_small_entries_next_to_ordinary_ones(method, size, name):
    value, slope = SINGULAR[name]
    check_gradients(elementwise(value, slope), np.array([size, 1.5]), method=method)
    check_both(value, slope, np.array([size]), 1.2, method=method)


@pytest.mark.parametrize("size", [1e-160, 1e-300])
@pytest.mark.parametrize("name", ["log", "sqrt", "square"])
def test_the_complex_step_does_not_underflow(size, name):
    check_both(*SINGULAR[name], np.array([size, 1.0]), 1.2)
    for method in DIFFERENCES:
        check_gradients(elementwise(*SINGULAR[name]), np.array([size, 1.0]), method=method)


@every_method
@pytest.mark.parametrize("size", [1e-9, 1e-100])
def test_the_normalisation_of_small_numbers(method, size):
    def normalise(factor):
        def forward(x):
            norm = np.sqrt((x * x).sum())
            y = x / norm
            return y, lambda dy: factor * (dy - y * (dy * y).sum()) / norm

        return forward

    x = size * np.random.default_rng(1).normal(size=4)
    check_gradients(normalise(1), x, method=method)
    assert not is_right(normalise(1.01), x, method=method)


@every_method
@pytest.mark.parametrize("distance", [1e-3, 1e-8, 1e-12])
def test_the_edge_of_the_domain_is_no_kink(method, distance):
    (checked,) = check_gradients(
        elementwise(np.arcsin, lambda x: 1 / np.sqrt((1 - x) * (1 + x))),
        np.array([1 - distance]),
        method=method,
    ).inputs
    assert not checked.kinks
    wrong = elementwise(np.arcsin, lambda x: 1.01 / np.sqrt((1 - x) * (1 + x)))
    assert not is_right(wrong, np.array([1 - distance]), method=method)


@every_method
def test_at_the_edge_of_the_domain(method):
    def power(extra):
        return elementwise(lambda x: x**1.5, lambda x: 1.5 * np.sqrt(x) + extra * (x == 0))

    check_gradients(power(0), np.array([0.0, 1.0]), method=method)
    assert not is_right(power(1), np.array([0.0, 1.0]), method=method)


NOT_ANALYTIC = {
    "conj": (lambda x: x * np.conj(x), lambda x: 2 * x),
    "real": (lambda x: x * x.real, lambda x: 2 * x),
    "abs": (lambda x: x * abs(x), lambda x: 2 * abs(x)),
}


@pytest.mark.parametrize("method", ["complex_step", "random_directions"])
@pytest.mark.parametrize("name", NOT_ANALYTIC)
def test_differences_decide_where_a_function_is_not_analytic(method, name):
    value, slope = NOT_ANALYTIC[name]
    x = np.array([0.5, -1.5, 2.0])
    report = check_gradients(elementwise(value, slope), x, method=method)
    assert "not analytic" in str(report)
    assert not report.inputs[0].kinks
    wrong = elementwise(value, lambda x: slope(x) * (1 + 1e-8))
    with pytest.raises(GradientError, match="not analytic"):
        check_gradients(wrong, x, method=method)


def test_a_backward_pass_that_equals_a_wrong_complex_step():
    zero = elementwise(lambda x: x * np.conj(x), lambda x: 0 * x)
    assert not is_right(zero, np.array([0.5, -1.5]))


@pytest.mark.filterwarnings("ignore:overflow")
@every_method
def test_where_the_complex_step_is_not_finite(method):
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def slope(x):
        return sigmoid(x) * (1 - sigmoid(x))

    check_both(sigmoid, slope, np.array([1.0, -800.0]), 1.001, method=method)


KINKED = {
    "leaky": (lambda x: np.where(x > 0, x, 0.1 * x), lambda x: np.where(x > 0, 1, 0.1)),
    "leaky, other side": (lambda x: np.where(x > 0, x, 0.1 * x), lambda x: np.where(x < 0, 0.1, 1)),
    "relu": (lambda x: np.maximum(x, 0), lambda x: x > 0),
    "relu, other side": (lambda x: np.maximum(x, 0), lambda x: x >= 0),
}


@every_method
@pytest.mark.parametrize("name", KINKED)
def test_many_kinks(method, name):
    value, slope = KINKED[name]
    for seed in range(5):
        x = np.random.default_rng(seed).normal(size=200)
        x[:10] = 0
        (checked,) = check_gradients(elementwise(value, slope), x, method=method).inputs
        assert {kink.index[0] for kink in checked.kinks} == set(range(10))
    outside = elementwise(value, lambda x: np.where(x == 0, 1.001, slope(x)))
    with pytest.raises(GradientError, match="not between the slopes at the kink"):
        check_gradients(outside, x, method=method)


@pytest.mark.parametrize("method", DIFFERENCES)
def test_the_kink_of_the_absolute_value(method):
    x = np.array([0.0, 1.0, -2.0, 0.0])
    check_gradients(elementwise(abs, np.sign), x, method=method)
    assert not is_right(elementwise(abs, lambda x: np.sign(x) + 2 * (x == 0)), x, method=method)


@every_method
@pytest.mark.parametrize("distance", [1e-7, 1e-12, 1e-160])
def test_close_to_a_kink(method, distance):
    x = np.array([distance, -distance, 1.0])
    (checked,) = check_gradients(elementwise(*KINKED["relu"]), x, method=method).inputs
    assert not checked.kinks
    half = elementwise(KINKED["relu"][0], lambda x: 0.5 + 0 * x)
    assert not is_right(half, x, method=method)


def test_backward_may_choose_a_slope_at_each_output():
    """At a kink of two outputs, the gradient need not lie between the slopes of their sum."""

    def two(x):
        y = np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)])
        return y, lambda dy: dy[:1] * (x > 0) - dy[1:] * (x < 0)

    for seed in range(8):
        check_gradients(two, np.zeros(1), seed=seed)


def outputs_of(kind, factor):
    def forward(x):
        y, z = np.sin(x), np.exp(x)

        def gradient(dy, dz):
            return dy * np.cos(x) + factor * dz * z

        def unpacking(d):
            dy, dz = d
            return gradient(dy, dz)

        return {
            "two": (y, z, gradient),
            "a tuple": ((y, z), unpacking),
            "a tuple, two arguments": ((y, z), gradient),
            "two, a tuple": (y, z, unpacking),
            "a dict": (y, {"z": [z]}, lambda dy, d: gradient(dy, d["z"][0])),
            "with integers": (y, z, np.argmax(x), lambda dy, dz, _: gradient(dy, dz)),
            "integers left out": (y, np.argmax(x), z, lambda dy, dz: gradient(dy, dz)),
        }[kind]

    return forward


KINDS = ("two", "a tuple", "a tuple, two arguments", "two, a tuple", "a dict", "with integers")


@every_method
@pytest.mark.parametrize("kind", [*KINDS, "integers left out"])
def test_all_outputs_are_checked(method, kind):
    x = np.array([0.5, -1.5, 2.0])
    report = check_gradients(outputs_of(kind, 1), x, method=method)
    assert ("int64" in str(report)) == ("integers" in kind)
    assert not is_right(outputs_of(kind, 1 + 1e-8), x, method=method)


def test_outputs_that_backward_takes_no_gradient_of_are_named():
    report = check_gradients(lambda x: (x**2, x + 1, lambda dy: 2 * x * dy), np.ones(2))
    assert report.unchecked == {"output[1]": "backward takes no gradient of it"}
    assert "outputs not checked: output[1]" in str(report)
    with pytest.raises(GradientError, match="the backward pass takes 2 gradients, but"):
        check_gradients(lambda x: (x**2, lambda dy, dz: dy), np.ones(2))


@every_method
def test_a_small_entry_next_to_a_large_one(method):
    x = np.array([1e-4, 1e4])
    check_gradients(elementwise(lambda x: x**3, lambda x: 3 * x**2), x, method=method)
    flipped = elementwise(lambda x: x**3, lambda x: 3 * x**2 * np.array([-1, 1]))
    assert not is_right(flipped, x, method=method)


def test_a_single_entry_with_its_own_tolerance():
    flipped = elementwise(lambda x: x**3, lambda x: 3 * x**2 * np.array([-1, 1]))
    with pytest.raises(GradientError, match=r"wrong at \[0\].*relative to this entry") as caught:
        check_gradients(flipped, np.array([1e-9, 1e4]))
    assert caught.value.error == pytest.approx(2)
    assert caught.value.tolerance < 1e-12


@pytest.mark.parametrize("method", DIFFERENCES)
def test_float32_inside_a_float64_function(method):
    def single(x):
        return np.tanh(x.astype("float32")).astype("float64")

    def slope(x):
        return 1 - np.tanh(x) ** 2

    x = np.random.default_rng(3).normal(size=6)
    report = check_gradients(elementwise(single, slope), x, method=method)
    assert "noise of the forward pass is" in str(report)
    assert not is_right(elementwise(single, lambda x: 1.01 * slope(x)), x, method=method)


def test_one_zero_among_many_entries_is_found_in_a_few_passes():
    calls = 0
    x = np.random.default_rng(0).normal(size=40000)
    x[7] = 0

    def relu_sum(x):
        nonlocal calls
        calls += 1
        return np.maximum(x, 0).sum(), lambda dy: dy * (x > 0)

    (checked,) = check_gradients(relu_sum, x, method="random_directions").inputs
    assert [kink.index for kink in checked.kinks] == [(7,)]
    assert calls < 200


@pytest.mark.parametrize("method", METHODS[:2])
def test_entries_are_moved_together_where_outputs_allow_it(method):
    calls = 0
    rng = np.random.default_rng(0)
    x, matrix = rng.normal(size=(20, 30)), rng.normal(size=(30, 25))

    def product(factor):
        def forward(x, matrix):
            nonlocal calls
            calls += 1
            wrong = np.ones(matrix.shape)
            wrong[3, 4] = factor
            return x @ matrix, lambda dy: (dy @ matrix.T, wrong * (x.T @ dy))

        return forward

    check_gradients(product(1), x, matrix, method=method)
    assert calls < {"complex_step": 120, "central_differences": 450}[method]
    with pytest.raises(GradientError, match=r"matrix is wrong at \[3, 4\]"):
        check_gradients(product(1 + 1e-8), x, matrix, method=method)


def test_a_long_check_reports_its_progress(capsys):
    def slow(x):
        time.sleep(0.02)
        return (x**2).sum(), lambda dy: 2 * x * dy

    check_gradients(slow, np.arange(1.0, 121.0))
    (line, *_) = capsys.readouterr().err.splitlines()
    assert "of 120 forward passes for entries of x, about" in line
    assert "s left; method='random_directions' needs only a few" in line
    check_gradients(elementwise(np.sin, np.cos), np.ones(3))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("scale", [{"typo": 1}, {"x": 1, "typo": 1}])
def test_a_misspelled_name_in_scale_is_refused(scale):
    with pytest.raises(InputError, match="scale names 'typo', which is not an input with"):
        check_gradients(elementwise(np.sin, np.cos), np.ones(3), scale=scale)


@pytest.mark.parametrize("scale", [-1.0, np.nan, "1", {"x": None}])
def test_an_invalid_scale_is_refused(scale):
    with pytest.raises(InputError, match="is not valid; pass a number that is at least 0"):
        check_gradients(elementwise(np.sin, np.cos), np.ones(3), scale=scale)


LAYOUTS = {
    "big-endian": np.array([1.0, 2.0]).astype(">f8"),
    "big-endian float32": np.array([1.0, 2.0]).astype(">f4"),
    "not contiguous": np.arange(1.0, 13.0).reshape(3, 4).T[::2],
    "Fortran order": np.asfortranarray(np.arange(1.0, 13.0).reshape(3, 4)),
    "0-d": np.array(2.0),
}


@every_method
@pytest.mark.parametrize("name", LAYOUTS)
def test_any_layout_in_memory(method, name):
    check_both(lambda x: x**3, lambda x: 3 * x**2, LAYOUTS[name], 1.01, method=method)


def test_an_assertion_for_tests():
    assert assert_gradients(elementwise(np.sin, np.cos), np.ones(3)) is None
    no_complex = elementwise(np.cbrt, lambda x: np.cbrt(x) / (3 * x))
    assert_gradients(no_complex, np.ones(3))
    with pytest.raises(GradientError, match="does not accept complex numbers"):
        assert_gradients(no_complex, np.ones(3), method="complex_step")
    with pytest.raises(AssertionError, match="wrong at") as caught:
        assert_gradients(elementwise(np.sin, np.sin), np.ones(3))
    names = [entry.name for entry in caught.traceback]
    assert names == ["test_an_assertion_for_tests", "assert_gradients"]


def test_the_import_needs_numpy_only():
    code = (
        "import sys, numpy.random; before = set(sys.modules);"
        "from kvnet.gradcheck import check_gradients;"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before};"
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["kvnet"]


def saturated(factor):
    def forward(x):
        gate = 1 / (1 + np.exp(-x))
        return gate, lambda dy: factor * dy * gate * (1 - gate)

    return forward


@pytest.mark.parametrize("method", ["complex_step", "random_directions"])
@pytest.mark.parametrize("seed", range(5))
def test_rounding_that_is_the_same_at_all_points_nearby(method, seed):
    # The digits of 1 - gate are lost here; nearby points lose the same ones.
    x = np.array([25.0, 28.5, 31.0, 33.0])
    check_gradients(saturated(1), x, method=method, seed=seed)
    assert not is_right(saturated(1.001), x, method=method, seed=seed)


def test_a_function_that_computes_in_float64_has_no_more_digits():
    def in_float64(x):
        y, backward = saturated(1)(x.astype("complex128" if x.dtype.kind == "c" else "float64"))
        return y.astype(x.dtype), lambda dy: backward(dy).astype(x.dtype)

    def found(function):
        x = np.array([1.5, 2.5])
        wrapped = DifferentiableFunction(function, (x,), ())
        wrapped(wrapped.leaves)
        return more_precise(wrapped, [np.ones(2)], Progress(False), generator(0))

    assert found(in_float64) is None
    if np.finfo("longdouble").eps < np.finfo("float64").eps:
        assert found(saturated(1)).gradients[0].dtype == "longdouble"


@pytest.mark.parametrize("method", DIFFERENCES)
def test_a_kink_that_is_a_few_percent_away_is_no_noise(method):
    def larger(change):
        def forward(x, y):
            is_x = x > y
            return np.where(is_x, x, y), lambda dz: (
                change(dz * is_x),
                (dz * ~is_x).sum(keepdims=True),
            )

        return forward

    x, y = np.array([-4.8, -7.6, -0.6, -1.5, -4.1]), np.array([-3.9])
    for seed in range(5):
        (of_x, _) = check_gradients(larger(lambda g: g), x, y, method=method, seed=seed).inputs
        assert of_x.tolerance < 1e-9
    without_one = larger(lambda g: g * (np.arange(g.size) != 2))
    assert not is_right(without_one, x, y, method=method)


def test_a_slope_that_smaller_steps_lose_in_rounding():
    def forward(factor):  # the entry is small, and so are the steps that are relative to it
        return lambda x: (0.5 + 2e-13 * x, lambda dy: factor * 2e-13 * dy)

    for seed in range(10):
        options = {"method": "central_differences", "seed": seed}
        check_gradients(forward(1), np.array([1e-4]), **options)
        assert not is_right(forward(10), np.array([1e-4]), **options)


def test_a_result_near_zero_is_not_taken_for_one_of_low_precision():
    def loss(factor):
        def forward(h):
            p = np.exp(h - h.max()) / np.exp(h - h.max()).sum()
            value = h.max() + np.log(np.exp(h - h.max()).sum()) - h[0]
            return value, lambda d: factor * d * (p - np.array([1.0, 0.0, 0.0]))

        return forward

    h = np.array([33.1, 0.2, -1.4])  # the loss is a few units in the last place of 33
    report = check_gradients(loss(1), h, method="random_directions", scale=33.0)
    assert not any("float32" in note for note in report.notes)


def test_an_output_whose_shape_depends_on_the_values():
    def positive(x):
        kept = x > 0
        return x[kept] ** 2, lambda dy: np.where(kept, 2 * x, 0.0) * _spread(dy, kept)

    def _spread(dy, kept):
        spread = np.zeros(kept.shape)
        spread[kept] = dy
        return spread

    x = np.array([1.0, 1e-2, -3.0])
    for method in DIFFERENCES:
        check_gradients(positive, x, method=method)


def test_an_array_module_is_a_constant():
    def sine(xp, x):
        return xp.sin(x), lambda dy: dy * xp.cos(x)

    report = check_gradients(sine, np, np.ones(3))
    assert report.constants == {"xp": "module"}


@every_method
def test_a_jump_of_the_second_derivative_is_no_kink(method):
    def hinge(factor):
        def slope(x):
            return factor * -2 * np.maximum(1 - x, 0) + (factor - 1) * (x == 1)

        return elementwise(lambda x: np.where(x.real < 1, 1 - x, 0) ** 2, slope)

    x = np.array([1.0, 0.3, 2.0])
    (checked,) = check_gradients(hinge(1), x, method=method).inputs
    assert not checked.kinks
    assert not is_right(hinge(1.01), x, method=method)


@every_method
@pytest.mark.parametrize("size", [1e-4, 1e-8])
def test_a_small_slope_of_a_large_value(method, size):
    value, slope = lambda x: np.exp(-x * x), lambda x: -2 * x * np.exp(-x * x)
    check_both(value, slope, np.array([size]), 1.001, method=method)
