"""The gradients of every parameter of every model, proven by gradcheck."""

import numpy
import pytest
from helpers import small_models

from kvnet.gradcheck.checked_models import MODELS
from kvnet.gradcheck.survey import survey_random_cases

EXACT = [("complex_step", "float64"), ("random_directions", "float64")]
DIFFERENCES = [("central_differences", "float64")]
SMALL = {
    "fact_chain_network": small_models.fact_chain_model,
    "fact_memory_network": small_models.fact_memory_model,
    "key_value_memory_network": small_models.key_value_model,
    "memn2n": small_models.memn2n_model,
    "memn2n_language_model": small_models.language_model,
}
VARIANTS = [
    pytest.param(subject, variant, id=f"{subject.name} {variant}")
    for subject in MODELS.values()
    for variant in subject.combinations()
]


def test_every_model_is_checked():
    assert set(MODELS) == set(SMALL)


@pytest.mark.parametrize(("subject", "variant"), VARIANTS)
def test_gradients_are_correct(subject, variant):
    survey = survey_random_cases(subject, variant, EXACT, numpy, examples=5, seed=0)
    assert survey.failure is None
    choices = {name: variant[name] for name in ("reader", "tying") if name in variant}
    params = SMALL[subject.name](hops=3, kernels="reference", **choices).params
    assert set(survey.rows) == {f"params[{name!r}]" for name in params}
    for name, by_plan in survey.rows.items():
        assert set(by_plan) == set(EXACT)
        for row in by_plan.values():
            assert row.error <= 1e-12, name
            assert row.vacuous < row.cases, name


def test_gradients_agree_with_central_differences():
    subject = MODELS["key_value_memory_network"]
    variant = {"reader": "simple_gru", "values": "apart", "mask_padding": True}
    survey = survey_random_cases(subject, variant, DIFFERENCES, numpy, examples=2, seed=0)
    assert survey.failure is None
    assert max(row.error for by_plan in survey.rows.values() for row in by_plan.values()) <= 1e-8
