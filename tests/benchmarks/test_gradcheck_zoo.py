"""The zoo of foreign functions: how gradients are made wrong, noise, kinks and tables."""

import numpy
import pytest
from zoo import noise, tables
from zoo.exceptions import reason
from zoo.foreign_function import WRONG, ForeignFunction, wrong_forms


def foreign(forward, gradient, *inputs):
    return ForeignFunction(
        "test.function#0", forward, lambda arrays, d: [gradient(*arrays) * d], list(inputs)
    )


X = numpy.array([[0.5, -1.0], [2.0, 0.0]])
SINE = foreign(numpy.sin, numpy.cos, X)
RELU = foreign(lambda x: numpy.maximum(x, 0), lambda x: (x > 0) * 1.0, X)
D = numpy.array([[1.0, -2.0], [0.5, 3.0]])


def test_each_form_is_wrong_in_its_own_way():
    right = SINE.gradients([X], D)
    changes = wrong_forms(SINE, right)
    assert tuple(changes) == WRONG
    wrong = {form: change(right)[0] / right[0] for form, change in changes.items()}
    numpy.testing.assert_allclose(wrong["times 1 + 1e-7"], 1 + 1e-7, rtol=1e-14)
    assert sorted(wrong["one sign"].ravel()) == [-1, 1, 1, 1]
    assert sorted(wrong["one zero"].ravel()) == [0, 1, 1, 1]
    assert (changes["transposed"](right)[0] == right[0].T).all()


def test_the_wrong_gradients_reach_backward():
    change = wrong_forms(SINE, SINE.gradients([X], D))["one sign"]
    _, backward = SINE.in_gradcheck_form(change)(X)
    assert (backward(D) != SINE.gradients([X], D)[0]).sum() == 1


def test_a_gradient_of_zero_has_no_wrong_form():
    constant = foreign(lambda x: 0 * x, lambda x: 0 * x, X)
    assert wrong_forms(constant, constant.gradients([X], D)) == {}
    assert not constant.depends_on_inputs()
    assert SINE.depends_on_inputs()


def test_the_noise_of_a_gradient_is_near_machine_precision_and_grows_with_its_condition():
    of_sine = noise.gradient_noise(SINE, D, SINE.gradients([X], D))[0]
    assert (of_sine < 1e-15).all()
    fast = foreign(lambda x: numpy.sin(1e6 * x), lambda x: 1e6 * numpy.cos(1e6 * x), X)
    of_fast = noise.gradient_noise(fast, D, fast.gradients([X], D))[0]
    assert of_fast.max() > 1e3 * of_sine.max()


def test_central_differences_come_as_near_as_their_rounding_allows():
    right, of_value = SINE.gradients([X], D), noise.value_noise(SINE, D)
    near = noise.attainable_by_differences(SINE, D, right, of_value)[0]
    assert (near < 1e-10).all()
    assert (near > 1e-17).all()


def test_only_a_kink_is_a_kink():
    found = [noise.is_kink(RELU, D, 0, index) for index in numpy.ndindex(X.shape)]
    assert found == [False, False, False, True]
    assert not noise.is_kink(SINE, D, 0, (0, 0))
    log = foreign(numpy.log, lambda x: 1 / x, numpy.array([1e-8]))
    assert not noise.is_kink(log, numpy.ones(1), 0, (0,))


def test_the_table_counts_false_verdicts_of_those_that_differ_clearly():
    checks = ("complex_step", "central_differences", "random_directions")

    def record(name, right, wrong, differs):
        return {
            "name": name,
            "verdicts": {
                "right": dict.fromkeys(checks, right),
                "one sign": dict.fromkeys(checks, wrong),
            },
            "differs": {"one sign": dict.fromkeys(checks, differs)},
            "seconds": dict.fromkeys(checks, 0.002),
            "tolerances": {check: [1e-14] for check in checks},
        }

    records = [
        record("a#0", "right", "wrong", True),
        record("b#0", "wrong", "right", True),
        record("c#0", "right", "right", False),  # the difference is below the noise
        record("d#0", "refused", "refused", True),
        record("torch.normal#0", "wrong", "right", True),  # an exception
        {"name": "e#0", "unusable": "no sample"},
    ]
    assert reason("torch.normal#0")
    table = tables.verdict_table(records).splitlines()
    assert table[2] == '| right: called "wrong" | 1 of 3 | 1 of 3 | 1 of 3 |'
    assert table[4] == '| one sign: called "right" | 1 of 2 | 1 of 2 | 1 of 2 |'
    assert {name for _, _, name in tables.false_verdicts(records)} == {"b#0"}
    assert tables.left_out(records)[-1] == "e#0: no sample"
    assert "| complex_step | 2 | 1.0e-14 | 1.0e-14 |" in tables.tolerance_table(records, None)


@pytest.mark.parametrize("name", ["torch.exp", "jax.numpy.exp"])
def test_samples_of_a_framework_have_its_right_gradients(name):
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    from gradcheck_zoo import records_of

    (record, *_) = records_of(name)
    assert set(record["verdicts"]["right"].values()) == {"right"}
    assert set(record["verdicts"]["one sign"].values()) == {"wrong"}
