"""gradcheck detects planted bugs; benchmarks/mutation_score.py covers every backward pass."""

import numpy
import pytest
from backward_mutants import KINDS, mutants
from mutation_score import is_right, outcome, planted

from kvnet import operations as ops

PATHS = [f"kvnet/operations/{name}.py" for name in ("address", "hop", "linear", "softmax")]
MUTANTS = [mutant for mutant in mutants() if mutant.path in PATHS]


def test_there_are_mutants_of_every_kind():
    assert {mutant.kind for mutant in mutants()} == set(KINDS)


@pytest.mark.parametrize("path", PATHS)
def test_every_wrong_mutant_is_caught(path):
    chosen = [mutant for mutant in MUTANTS if mutant.path == path]
    assert len(chosen) >= 10
    for mutant in chosen:
        with planted(mutant) as subjects, numpy.errstate(all="ignore"):
            (subject,) = subjects
            if outcome(subject, "complex_step", seed=0) == "survives":
                assert is_right(subject, seed=0), (mutant.line, mutant.before, mutant.after)


def test_the_original_function_is_restored():
    before = ops.softmax
    with planted(next(m for m in MUTANTS if "softmax" in m.path)) as (subject,):
        assert ops.softmax is not before
        assert not is_right(subject, seed=0)
    assert ops.softmax is before
    assert is_right(subject, seed=0)
