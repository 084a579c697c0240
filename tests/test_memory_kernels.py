"""Fused memory reads of the End-To-End Memory Networks against the textbook ones."""

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_kernels import FUSED, agree_throughout

from kvnet.kernels import kernel_threads

sizes = st.integers(1, 9)


def context(B, M, U, E, dtype, seed):
    """Draw what `context_hops_by_row` takes, up to its matrix and the words' numbers."""
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
    agree_throughout("context_hops_by_row", inputs, dtype)


def story(B, M, U, E, H, dtype, seed):
    """Draw queries, H tables of readings, a matrix, and what each slot holds of the readings."""
    rng = numpy.random.default_rng(seed)

    def draw(*shape):
        return (rng.normal(size=shape) * E**-0.5).astype(dtype)

    rows = rng.integers(0, U, (B, M, 2)) * rng.integers(0, 2, (B, M, 2))
    return draw(B, E), [draw(U, E) for _ in range(H)], draw(E, E), rows


@settings(max_examples=60, deadline=None, derandomize=True)
@given(*(sizes,) * 5, st.booleans(), st.booleans(), st.sampled_from(["float32", "float64"]), sizes)
@example(20, 30, 12, 50, 3, False, True, "float64", 1)  # several blocks
def test_slots(B, M, U, E, H, adjacent, with_softmax, dtype, seed):
    u, tables, matrix, rows = story(B, M, U, E, H + 1, dtype, seed)
    if adjacent:
        agree_throughout("adjacent_hops_by_row", (u, tables, rows, with_softmax), dtype)
    else:
        inputs = u, tables[0], tables[1], matrix, rows, H, with_softmax
        agree_throughout("layerwise_hops_by_row", inputs, dtype)


def context_bits():
    return FUSED.context_hops_by_row(numpy, *context(50, 9, 30, 170, "float32", 0), 3, 80)


def story_bits():
    u, tables, _, rows = story(50, 9, 30, 70, 3, "float32", 0)
    return FUSED.adjacent_hops_by_row(numpy, u, tables, rows)


def bits(read, count):
    """Read there and back on some threads."""
    with kernel_threads(count):
        u, attention, backward = read()
        du, *rest = backward(u)
        return [numpy.array(array).tobytes() for array in (u, attention, du, *rest)]


@pytest.mark.parametrize("read", [context_bits, story_bits])
@pytest.mark.parametrize("count", [2, 3])
def test_threads_do_not_change_a_bit(read, count):
    assert bits(read, count) == bits(read, 1)
