"""Gradients of the operations and models against those of HIPS autograd."""

import numpy
import pytest
from helpers.autograd_formulas import formula_of, oracle_gradients, own_gradients

from kvnet.gradcheck.cases import OPTIONS
from kvnet.gradcheck.checked_models import MODELS
from kvnet.gradcheck.checked_operations import OPERATIONS

SUBJECTS = [
    pytest.param(subject, variant, id=f"{subject.name} {variant}")
    for subject in [*OPERATIONS.values(), *MODELS.values()]
    for variant in subject.combinations()
    if variant.get("logits", "ordinary") == "ordinary"
]
NO_SIZES = ("words", "allowed", "keep_prob", "rank", "spare", "nil", "with_softmax", "linear_size")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("subject", "variant"), SUBJECTS)
def test_backward_agrees_with_autograd(subject, variant, seed):
    # The largest sizes, so that no gradient is zero; another option of the rest for each seed.
    parameters = {
        name: values[seed % len(values)] if name in NO_SIZES else values[-1]
        for name, values in subject.options().items()
    }
    case = subject.case(numpy, "float64", variant | parameters | {"seed": seed})
    output = case.function(*case.inputs)[0]
    formula = formula_of(subject, case)
    numpy.testing.assert_allclose(formula(*case.inputs), output, rtol=1e-12, atol=1e-14)
    d_output = numpy.random.default_rng(seed).standard_normal(numpy.shape(output))[()]
    own, oracle = own_gradients(case, d_output), oracle_gradients(case, formula, d_output)
    for actual, expected in zip(own, oracle, strict=True):
        norm = numpy.linalg.norm(expected)
        assert norm > 0
        assert numpy.linalg.norm(actual - expected) <= 1e-12 * norm


def test_every_option_is_compared():
    drawn = {name for param in SUBJECTS for name in param.values[0].options()}
    assert set(NO_SIZES) <= drawn
    assert max(len(OPTIONS[name]) for name in NO_SIZES) <= 4
