"""The distributions of the random numbers that operations draw."""

import numpy
import pytest

from kvnet import operations as ops


def test_uniform_is_the_same_in_both_precisions_and_never_0_or_1():
    arguments = (numpy, 3, "test", 0, (200, 500))
    single, double = (ops.uniform(*arguments, dtype) for dtype in ("float32", "float64"))
    assert single.dtype == "float32"
    assert (single == double).all()
    assert 0 < double.min() < 1e-4
    assert 1 - 1e-4 < double.max() < 1
    counts, _ = numpy.histogram(double, bins=20, range=(0, 1))
    assert ((counts - 5000) ** 2 / 5000).sum() < 43.8  # chi-squared, 19 degrees: p = 0.001


def test_normal_has_normal_moments():
    z = ops.normal(numpy, 0, "test", 0, (999, 1001), "float64")
    assert z.shape == (999, 1001)
    assert abs(z.mean()) < 0.004
    assert z.std() == pytest.approx(1, abs=0.003)
    assert (z**3).mean() == pytest.approx(0, abs=0.02)
    assert (z**4).mean() == pytest.approx(3, abs=0.05)
    assert numpy.corrcoef(z[:, :-1].ravel(), z[:, 1:].ravel())[0, 1] == pytest.approx(0, abs=0.004)


def test_random_gaps_spread_the_times_of_a_story():
    keys = numpy.where(numpy.arange(20) < numpy.array([20, 10, 1])[:, None], 7, 0)
    last_time_moved = 0
    for step in range(300):
        rows = ops.slots_with_times(numpy, keys, 30, 19, 0.1, 0, step)
        assert (rows[..., 0] == keys).all() and ((rows[..., 1] > 0) == (keys > 0)).all()
        times = rows[..., 1] - 30
        for n, row in zip((20, 10, 1), times, strict=True):
            assert (numpy.diff(row[:n]) >= (n != 20)).all()  # in order; only the last may be capped
            assert row[:n].max() <= min(n - 1 + -(-n // 10), 19)
        last_time_moved += times[1, 9] > 9
    # Ten sentences get 0 or 1 gap; with a gap the last time stays 9 once in eleven.
    assert last_time_moved / 300 == pytest.approx(0.5 * 10 / 11, abs=0.08)
    rows = ops.slots_with_times(numpy, keys, 30, 19, 0.1, 0, None)
    assert (rows[0, :, 1] == 30 + numpy.arange(20)).all()
