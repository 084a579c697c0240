"""The gradients of every operation, proven by gradcheck; fused forms equal the textbook."""

import numpy
import pytest

from kvnet.gradcheck.checked_operations import OPERATIONS
from kvnet.gradcheck.report import THE_OUTPUT
from kvnet.gradcheck.survey import plans_for, survey_random_cases

LARGEST_ERRORS = {
    ("complex_step", "float64"): 1e-12,
    ("central_differences", "float64"): 1e-7,  # 1e-10, but some gradients are 1e-6 and smaller
    ("random_directions", "float64"): 1e-12,
    ("complex_step", "float32"): 1e-5,
}
EXTREME = LARGEST_ERRORS | {("random_directions", "float64"): 1e-9}  # terms of 1e4 cancel
EQUALITY = {("equality", "float64"): 1e-12, ("equality", "float32"): 5e-5}
FUSED = {  # a fused form does not accept complex numbers: equality replaces the complex step
    ("central_differences", "float64"): 1e-7,
    ("random_directions", "float64"): 1e-7,  # by differences, too
    **EQUALITY,
}
VARIANTS = [
    pytest.param(subject, variant, id=f"{subject.name} {variant}")
    for subject in OPERATIONS.values()
    for variant in subject.combinations()
]


@pytest.mark.parametrize(("subject", "variant"), VARIANTS)
def test_gradients_are_correct(subject, variant):
    plans = plans_for(None, None)
    survey = survey_random_cases(subject, variant, plans, numpy, examples=10, seed=0)
    assert survey.failure is None
    largest = EXTREME if variant.get("logits") == "extreme" else LARGEST_ERRORS
    largest = FUSED if variant.get("kernels") == "fused" else largest
    for name, by_plan in survey.rows.items():
        assert set(by_plan) == set(EQUALITY if name == THE_OUTPUT else largest)
        for plan, row in by_plan.items():
            assert row.error <= largest[plan], (name, plan)
            if variant.get("logits", "ordinary") == "ordinary":
                assert row.vacuous < row.cases, (name, plan)


@pytest.mark.parametrize("subject", OPERATIONS.values(), ids=OPERATIONS)
def test_float32_stays_float32(subject):
    case = subject.case(numpy, "float32", subject.numbers("seed=3"))
    assert case.function(*case.inputs)[0].dtype == "float32"
