"""Fused memory reads of the End-To-End Memory Networks against the textbook ones."""

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_kernels import FUSED, agree_throughout

from kvnet.kernels import kernel_threads

sizes = st.integers(1, 9)


def context(B, M, U, E, dtype, seed):
    """Draw what `context_read` takes, up to its matrix and the words' numbers."""
    rng = numpy.random.default_rng(seed)

    def draw(*shape):
        return (rng.normal(size=shape) * E**-0.5).astype(dtype)

    inputs = draw(B, E), draw(U, E), draw(U, E), draw(M, E), draw(M, E), draw(E, E)
    return *inputs, rng.integers(0, U, (B, M))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(sizes, sizes, sizes, sizes, sizes, st.sampled_from(["float32", "float64"]), sizes)
@example(20, 30, 12, 170, 5, "float64", 1)  # several blocks of targets and of components
def test_context_read(B, M, U, E, H, dtype, seed):
    inputs = *context(B, M, U, E, dtype, seed), H, (seed * E) // 9
    agree_throughout("context_read", inputs, dtype)


def bits(count):
    """Read contexts there and back on some threads."""
    with kernel_threads(count):
        u, attention, backward = FUSED.context_read(
            numpy, *context(50, 9, 30, 170, "float32", 0), 3, 80
        )
        return [array.tobytes() for array in (u, attention, *backward(u))]


@pytest.mark.parametrize("count", [2, 3])
def test_threads_do_not_change_a_bit(count):
    assert bits(count) == bits(1)
