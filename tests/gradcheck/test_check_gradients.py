"""gradcheck as a library: correct gradients pass, and each kind of fault has its own message."""

import numpy
import pytest
from helpers import ROOT

from kvnet import InputError
from kvnet.gradcheck import METHODS, GradientError, check_gradients
from kvnet.gradcheck.equality import check_equality

X = numpy.array([[0.5, -1.5], [2.0, 0.25]])
MATRIX = numpy.array([[1.0, 2.0], [-0.5, 0.75], [0.1, -0.2]])


def cube(x):
    return x**3, lambda dy: 3 * x**2 * dy


def product(x, matrix):
    def backward(dy):
        return dy @ matrix, dy.T @ x

    return x @ matrix.T, backward


def relu(x):
    return numpy.maximum(x, 0), lambda dy: dy * (x > 0)


@pytest.mark.parametrize("method", METHODS)
def test_correct_gradients_pass(method):
    report = check_gradients(product, X, MATRIX, method=method)
    assert [checked.name for checked in report.inputs] == ["x", "matrix"]
    for checked in report.inputs:
        assert checked.error <= checked.tolerance < 1e-11
        assert not checked.is_vacuous


@pytest.mark.parametrize(
    ("method", "factor"),
    [("complex_step", 1e-13), ("central_differences", 1e-10), ("random_directions", 1e-12)],
)
def test_the_smallest_wrong_factor_is_detected(method, factor):
    def slightly_wrong(x, matrix):
        y, backward = product(x, matrix)

        def wrong_backward(dy):
            dx, d_matrix = backward(dy)
            return dx, d_matrix * (1 + factor)

        return y, wrong_backward

    with pytest.raises(GradientError) as caught:
        check_gradients(slightly_wrong, X, MATRIX, method=method)
    assert caught.value.input == "matrix"
    assert caught.value.error == pytest.approx(factor, rel=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_the_message_names_input_entry_values_and_tolerance(method):
    def one_entry_wrong(x, matrix):
        y, backward = product(x, matrix)

        def wrong_backward(dy):
            dx, d_matrix = backward(dy)
            d_matrix[2, 1] += 0.5
            return dx, d_matrix

        return y, wrong_backward

    with pytest.raises(GradientError) as caught:
        check_gradients(one_entry_wrong, X, MATRIX, method=method)
    error = caught.value
    assert (error.input, error.index) == ("matrix", (2, 1))
    assert error.analytic - error.numeric == pytest.approx(0.5)
    assert error.error > error.tolerance
    for text in ("the gradient of matrix is wrong at [2, 1]", "correct: x", method):
        assert text in str(error)
    for value in (error.analytic, error.numeric):
        assert f"{value:.17g}" in str(error)
    assert [checked.fault is None for checked in error.report.inputs] == [True, False]


def returning(*gradients):
    return lambda x, matrix: (x @ matrix.T, lambda dy: gradients)


def dx_and(d_matrix):
    return lambda x, matrix: (x @ matrix.T, lambda dy: (dy @ matrix, d_matrix(dy, x)))


def noisy_forward():
    rng = numpy.random.default_rng(0)
    return lambda x: (x + 1e-9 * rng.random(x.shape), lambda dy: dy)


def noisy_backward():
    rng = numpy.random.default_rng(0)
    return lambda x: (x, lambda dy: dy + 1e-9 * rng.random(x.shape))


def changing_forward(x):
    x *= 2
    return x, lambda dy: 2 * dy


def changing_backward(x):
    def backward(dy):
        x[0, 0] = 7
        return dy

    return x + 0, backward


def changing_d_output(x):
    def backward(dy):
        dy *= 2
        return dy

    return 2 * x, backward


def accumulating(x):
    total = numpy.zeros_like(x)

    def backward(dy):
        nonlocal total
        total = total + dy
        return total

    return x + 0, backward


FAULTS = {
    "too few": (
        returning(X),
        (X, MATRIX),
        "returns 1 gradient, but 2 gradients are expected: x, matrix",
    ),
    "too many": (
        returning(X, X, X),
        (X, MATRIX),
        "returns 3 gradients, but 2 gradients are expected",
    ),
    "not a tuple": (
        lambda x, matrix: (x @ matrix.T, lambda dy: dy @ matrix),
        (X, MATRIX),
        "returns 1 gradient, but 2 gradients are expected",
    ),
    "a tuple for one input": (
        lambda x: (x + 0, lambda dy: (dy, dy)),
        (X,),
        "returns 2 gradients, but 1 gradient is expected: x",
    ),
    "None": (dx_and(lambda dy, x: None), (X, MATRIX), "the gradient of matrix is None"),
    "not an array": (dx_and(lambda dy, x: "zero"), (X, MATRIX), "matrix is not an array: 'zero'"),
    "shape": (
        dx_and(lambda dy, x: x.T @ dy),
        (X, MATRIX),
        r"the gradient of matrix has shape \[2, 3\], its input \[3, 2\]",
    ),
    "dtype": (
        dx_and(lambda dy, x: (dy.T @ x).astype("float32")),
        (X, MATRIX),
        "the gradient of matrix is float32, its input float64",
    ),
    "float64 of float32": (
        lambda x: (x + 0, lambda dy: dy.astype("float64")),
        (X.astype("float32"),),
        "the gradient of x is float64, its input float32",
    ),
    "NaN": (
        dx_and(lambda dy, x: dy.T @ x * numpy.array([1, numpy.nan])),
        (X, MATRIX),
        r"the gradient of matrix is nan at \[0, 1\]",
    ),
    "NaN forward": (
        lambda x: (numpy.where(x > 1, numpy.nan, x), lambda dy: dy),
        (X,),
        r"the forward pass returns nan at \[1, 0\]",
    ),
    "missing in a dict": (
        lambda params: (params["a"] + params["b"], lambda dy: {"a": dy}),
        ({"a": X, "b": X + 1},),
        r"no gradient of params\['b'\]",
    ),
    "random forward": (noisy_forward(), (X,), "not deterministic: two forward passes"),
    "random backward": (noisy_backward(), (X,), "backward pass is not deterministic"),
    "stateful backward": (accumulating, (X,), "backward pass is not deterministic"),
    "forward changes x": (changing_forward, (X,), "the forward pass changes its input x"),
    "backward changes x": (changing_backward, (X,), "the backward pass changes its input x"),
    "backward changes dy": (changing_d_output, (X,), "changes its argument, the gradient"),
    "integer output": (
        lambda x: (x.astype(int), lambda dy: dy),
        (X,),
        "the output is int64, not float",
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_the_message_names_the_fault(kind):
    function, inputs, message = FAULTS[kind]
    with pytest.raises(GradientError, match=message):
        check_gradients(function, *[_copy(x) for x in inputs])


def _copy(value):
    return {k: v.copy() for k, v in value.items()} if isinstance(value, dict) else value.copy()


INVALID = {
    "a Python number": (cube, (3.0,), {}, "no input has a gradient"),
    "integers": (cube, (X.astype(int),), {}, "no input has a gradient"),
    "complex numbers": (
        cube,
        (X + 1j,),
        {},
        "x is complex128; only gradients of float32 and float64",
    ),
    "infinity": (cube, (X * numpy.inf,), {}, "x contains values that are not finite"),
    "too many inputs": (cube, (X, X), {}, "cannot be called with these 2 inputs"),
    "unknown method": (
        cube,
        (X,),
        {"method": "guess"},
        "method='guess' is unknown; choose one of complex_step",
    ),
    "unknown constant": (
        product,
        (X, MATRIX),
        {"constants": ["A"]},
        r"constants=\['A'\] are not inputs",
    ),
    "no backward pass": (lambda x: x, (X,), {}, "returns no backward pass"),
}


@pytest.mark.parametrize("kind", INVALID)
def test_invalid_arguments_raise_an_input_error(kind):
    function, inputs, options, message = INVALID[kind]
    with pytest.raises(InputError, match=message):
        check_gradients(function, *inputs, **options)


def test_integers_masks_and_declared_inputs_are_constants():
    def pick(x, rows, mask, factors, power):
        def backward(dy):
            dx = numpy.zeros_like(x)
            numpy.add.at(dx, rows, dy * mask * factors * power)
            return dx

        return x[rows] * mask * factors * power, backward

    rows, mask = numpy.array([1, 1, 0]), numpy.array([[True, False]])
    inputs = (X, rows, mask, numpy.array([2.0, 3.0]), 1.5)
    report = check_gradients(pick, *inputs, constants=["factors"])
    kinds = {"rows": "int64", "mask": "bool", "factors": "float64", "power": "float"}
    assert report.constants == kinds
    assert report.inputs[0].zeros == 2
    for text in ("2 with zero gradient", "held constant: rows (int64), mask (bool)"):
        assert text in str(report)


def test_lists_and_dicts_of_arrays():
    def total(params, matrices):
        def backward(dy):
            return {"a": 2 * dy * params["a"], "b": dy * matrices[1]}, [
                dy + 0 * X,
                dy * params["b"],
            ]

        loss = (params["a"] ** 2).sum() + matrices[0].sum() + (params["b"] * matrices[1]).sum()
        return loss, backward

    report = check_gradients(total, {"a": X, "b": X + 1}, [X + 2, X + 3])
    names = ["params['a']", "params['b']", "matrices[0]", "matrices[1]"]
    assert [checked.name for checked in report.inputs] == names


def test_one_tuple_of_arrays():
    def add(terms):
        return terms[0] + 2 * terms[1], lambda dy: (dy, 2 * dy)

    names = [checked.name for checked in check_gradients(add, (X, X + 1)).inputs]
    assert names == ["terms[0]", "terms[1]"]


def test_starred_inputs_have_names():
    def add(*terms):
        return sum(terms), lambda dy: (dy,) * len(terms)

    names = [checked.name for checked in check_gradients(add, X, X + 1).inputs]
    assert names == ["terms[0]", "terms[1]"]


@pytest.mark.parametrize("method", METHODS)
def test_a_kink_at_an_entry_is_reported_and_its_gradient_must_lie_between_the_slopes(method):
    x = numpy.array([1.0, 0.0, -2.0])
    (checked,) = check_gradients(relu, x, method=method).inputs
    (kink,) = checked.kinks
    assert kink.index == (1,)
    assert 0 in (kink.left, kink.right)
    assert "a kink at [1]" in str(checked)

    def wrong_at_the_kink(x):
        return numpy.maximum(x, 0), lambda dy: dy * ((x > 0) - 3 * (x == 0))

    with pytest.raises(GradientError, match=r"is not between the slopes at the kink \[1\]"):
        check_gradients(wrong_at_the_kink, x, method=method)


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 3e-7])
def test_central_differences_step_around_a_kink(distance):
    (checked,) = check_gradients(
        relu, numpy.array([1.0, distance, -distance]), method="central_differences"
    ).inputs
    assert checked.error <= checked.tolerance < 1e-6
    assert not checked.kinks


def test_a_jump_is_a_kink():
    def step(x):
        return numpy.floor(x) + x, lambda dy: dy

    with pytest.raises(GradientError, match="does not accept complex numbers"):
        check_gradients(step, X)
    (checked,) = check_gradients(step, numpy.array([1.0, 1.5]), method="central_differences").inputs
    assert [kink.index for kink in checked.kinks] == [(0,)]


def test_a_strongly_curved_function_has_no_kink():
    def curved(x):
        return numpy.exp(30 * x), lambda dy: 30 * numpy.exp(30 * x) * dy

    for method in METHODS:
        assert not check_gradients(curved, X / 2, method=method).inputs[0].kinks


def test_a_forward_that_does_not_accept_complex_numbers():
    def casting(x):
        y = numpy.empty(x.shape)
        y[...] = x
        return y, lambda dy: dy

    with pytest.raises(GradientError, match="does not accept complex numbers"):
        check_gradients(casting, X)
    (checked,) = check_gradients(casting, X, method="random_directions").inputs
    assert checked.method == "random_directions by central differences"


def test_differences_that_do_not_converge_are_undecided():
    def rough(x):
        return numpy.sqrt(abs(x - 0.5)) * numpy.sign(x - 0.5), lambda dy: dy

    with pytest.raises(GradientError, match=r"undecided|kink"):
        check_gradients(rough, numpy.array([0.5]), method="central_differences")


def test_float32_gradients_are_compared_with_float64():
    (checked,) = check_gradients(cube, X.astype("float32")).inputs
    assert checked.dtype == "float32"
    assert 1e-9 < checked.error <= checked.tolerance < 1e-5

    def in_half_precision(x):
        return x**3, lambda dy: (3 * x**2 * dy).astype("float16").astype(x.dtype)

    with pytest.raises(GradientError, match="wrong at"):
        check_gradients(in_half_precision, X.astype("float32"))


def test_the_tolerance_follows_the_condition_number():
    """Where 1 - p cancels, float32 loses digits that float64 keeps; that is not a fault."""

    def cross_entropy(s):
        p = 1 / (1 + numpy.exp(-s))
        return -numpy.log(p).sum(), lambda dy: dy * (p - 1)

    tolerances = []
    for logit in (1.0, 6.0, 12.0):
        s = numpy.array([logit, logit], "float32")
        (checked,) = check_gradients(cross_entropy, s, scale=1.0).inputs
        tolerances.append(checked.tolerance * checked.size / checked.norm)
    assert tolerances[0] < tolerances[1] < tolerances[2]
    ratio = numpy.exp(12.0) / numpy.exp(6.0)
    assert tolerances[2] / tolerances[1] == pytest.approx(ratio, rel=0.5)


def test_a_zero_gradient_is_reported_as_vacuous():
    def constant(x):
        return 0 * x, lambda dy: 0 * dy

    (checked,) = check_gradients(constant, X).inputs
    assert checked.is_vacuous
    assert "zero up to rounding" in str(checked)

    def not_zero(x):
        return 0 * x, lambda dy: 1e-12 * dy

    with pytest.raises(GradientError, match="wrong at"):
        check_gradients(not_zero, X)


def test_one_array_given_twice_is_stepped_input_by_input():
    report = check_gradients(product, X, X)
    assert [checked.name for checked in report.inputs] == ["x", "matrix"]


def test_a_scalar_and_an_array_without_entries():
    check_gradients(cube, numpy.array(2.0))
    (checked,) = check_gradients(cube, numpy.zeros((0, 3))).inputs
    assert checked.entries == 0
    assert checked.is_vacuous


def test_same_seed_same_report():
    assert str(check_gradients(product, X, MATRIX)) == str(check_gradients(product, X, MATRIX))


def float32_kernel(x, matrix):
    """Imitate a fused kernel: it computes in float32 and does not accept complex numbers."""
    a, b = numpy.asarray(x, "float32"), numpy.asarray(matrix, "float32")
    y = (a @ b.T).astype(x.dtype)

    def backward(dy):
        return dy @ matrix, dy.T @ x

    return y, backward


def test_a_kernel_equals_its_textbook_operation():
    single = [X.astype("float32"), MATRIX.astype("float32")]
    report = check_equality(float32_kernel, product, *single)
    assert [checked.name for checked in report.inputs] == ["the output", "x", "matrix"]

    def another_kernel(x, matrix):
        y, backward = product(x, matrix)
        return y * (1 + 3e-5), backward

    with pytest.raises(
        GradientError, match=r"^the output is not equal to the textbook operation's at"
    ):
        check_equality(another_kernel, product, *single)

    def wrong_gradient(x, matrix):
        y, backward = product(x, matrix)
        return y, lambda dy: [2 * d for d in backward(dy)]

    with pytest.raises(GradientError, match="the gradient of x is not equal to the textbook"):
        check_equality(wrong_gradient, product, X, MATRIX)

    def wrong_shape(x, matrix):
        y, backward = product(x, matrix)
        return y[None], lambda dy: backward(dy[0])

    with pytest.raises(GradientError, match="the output is float64"):
        check_equality(wrong_shape, product, X, MATRIX)


def test_the_documented_example(capsys):
    text = (ROOT / "docs/gradcheck.md").read_text(encoding="utf-8")
    example = text.partition("```python\n")[2].partition("```")[0]
    exec(example, {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("x: error ")
    assert lines[-1] == "held constant: nothing"
    with pytest.raises(
        GradientError, match=r"the gradient of x is wrong at .*; correct: gain"
    ) as caught:
        exec(example.replace("scale**3", "scale**2"), {})
    documented = text.partition("GradientError: ")[2].partition("```")[0]
    assert f"wrong at {list(caught.value.index)}: analytic" in documented
    assert f"error {caught.value.error:.1e}, tolerance" in documented
