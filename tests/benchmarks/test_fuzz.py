"""Damaged files and hostile flags end in one clear line; ``benchmarks/fuzz.py`` tries more."""

import pytest
from fuzz import TARGETS, Targets, problem_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    return Targets(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_works_or_ends_in_one_line(targets, name):
    @settings(
        max_examples=60 if name == "flags" else 150,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(st.randoms(use_true_random=False))
    def check(draw):
        assert problem_of(getattr(targets, name), draw) is None

    check()


def test_a_target_that_fails_is_a_finding(targets):
    def fails(draw):
        raise TypeError("no\nline")

    assert "TypeError at test_fuzz.py" in problem_of(fails, None)
