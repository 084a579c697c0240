"""Fused updates of many blocks: equal to the textbook, with the same bits for any threads."""

import numpy
import pytest
from helpers.kernel_cases import bits_on_threads

from kvnet import updates
from kvnet.kernels import choose_updates
from kvnet.updates import RowGradient, UpdateRule

FUSED = choose_updates("fused", numpy)
N = 10_001
SECTIONS = ((0, 7), (7, 4_099), (4_099, N))  # across the bounds of blocks
SILENT = ((7, 9), (4_095, 4_110))
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}


def noisy_adam_with(form, rng, dtype, clip_norm=1.0):
    """Take a step from random vectors; return them and the penalty."""
    theta, gradient, m, v = rng.normal(size=(4, N)).astype(dtype)
    v, unchanged = abs(v), gradient.copy()
    rule = UpdateRule(SECTIONS, SILENT, 0.2, clip_norm, 0.1, 5, noise_deviation=0.3)
    penalty = form.noisy_adam(numpy, theta, gradient, m, v, 4, 0.01, rule)
    assert (gradient == unchanged).all()
    return theta, m, v, penalty


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("clip_norm", [1.0, 1e6])
def test_noisy_adam_equals_the_textbook(dtype, clip_norm):
    fused, textbook = (
        noisy_adam_with(form, numpy.random.default_rng(0), dtype, clip_norm)
        for form in (FUSED, updates)
    )
    for found, expected in zip(fused, textbook, strict=True):
        assert found.dtype == expected.dtype == dtype
        error = numpy.linalg.norm(found - expected)
        assert error <= TOLERANCES[dtype] * numpy.linalg.norm(expected)


def descend(name, rng):
    """Take a step on a table of many rows; return it, and Adagrad's squares."""
    tables = rng.normal(size=(2, 3_000, 5)).astype("float32")
    theta, squares = {"W": tables[0]}, {"W": abs(tables[1])}
    gradients = {"W": rng.normal(size=(3_000, 5)).astype("float32")}
    if name == "adam":
        means, rows = {"W": tables[0].copy()}, rng.permutation(3_000)[:2_500]
        gradients = {"W": RowGradient(rows, gradients["W"][:2_500])}
        FUSED.adam(numpy, theta, means, squares, gradients, 3, 0.1, 1e-8, 0.7, "global")
        return theta["W"], squares["W"], means["W"]
    state = [squares] if name == "adagrad" else []
    getattr(FUSED, name)(numpy, theta, *state, gradients, 0.1, 0.7, "global")
    return theta["W"], squares["W"]


@pytest.mark.parametrize("name", ["noisy_adam", "sgd", "adagrad", "adam"])
def test_any_number_of_threads_gives_the_same_bits(name):
    def compute():
        rng = numpy.random.default_rng(0)
        if name == "noisy_adam":
            return noisy_adam_with(FUSED, rng, "float32")
        return descend(name, rng)

    one, *others = (bits_on_threads(compute, count) for count in (1, 2, 3, 2))
    assert all(found == one for found in others)


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_adam_equals_the_textbook_and_leaves_other_rows(dtype):
    rng = numpy.random.default_rng(0)
    start = {"W": rng.normal(size=(5_000, 7)), "A": rng.normal(size=(3, 4))}
    start = {name: theta.astype(dtype) for name, theta in start.items()}
    states = [[{n: x.copy() for n, x in start.items()} for _ in "tmv"] for _ in range(2)]
    for mean in (mean for _, *means in states for by_name in means for mean in by_name.values()):
        mean[:] = 0
    rows = rng.permutation(5_000)[:4_200]
    for step in range(3):
        values = rng.normal(size=(4_200, 7)).astype(dtype)
        gradients = {"W": RowGradient(rows, values), "A": rng.normal(size=(3, 4)).astype(dtype)}
        for form, (theta, m, v) in zip((FUSED, updates), states, strict=True):
            form.adam(numpy, theta, m, v, gradients, step, 0.01, 1e-8, 5.0, "global")
    for found, expected in zip(*states, strict=True):
        for name in start:
            assert found[name].dtype == dtype
            error = numpy.linalg.norm(found[name] - expected[name])
            assert error <= TOLERANCES[dtype] * numpy.linalg.norm(expected[name])
    others = numpy.setdiff1d(numpy.arange(5_000), rows)
    theta, m, v = states[0]
    assert (theta["W"][others] == start["W"][others]).all()
    assert not m["W"][others].any() and not v["W"][others].any()
    assert (theta["W"][rows] != start["W"][rows]).any(axis=1).all()
