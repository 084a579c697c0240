"""Fused operations on sizes that gradcheck does not draw: many blocks, published sizes, threads."""

import numpy
import pytest
from helpers.kernel_cases import (
    COMPARED,
    PUBLISHED,
    SEVERAL_BLOCKS,
    bits_on_threads,
    fused_case,
)

from kvnet import operations
from kvnet.gradcheck.equality import check_equality
from kvnet.kernels import choose_operations, fused_names, kernel_threads
from kvnet.kernels.parts.threads import allowed_threads

FUSED = choose_operations("fused", numpy)


def assert_equal_to_textbook(case):
    options = {"constants": case.constants, "scale": case.scale}
    check_equality(case.function, case.textbook, *case.inputs, **options)


def test_every_fused_operation_with_a_gradient_has_sizes_for_several_blocks():
    assert sorted(SEVERAL_BLOCKS) == COMPARED
    assert set(fused_names("numpy")) & set(operations.__all__) == {
        *COMPARED,
        "find_memories",
        "largest_by_question",
        "uniform",
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SEVERAL_BLOCKS)
def test_several_blocks_equal_the_textbook(name, dtype):
    assert_equal_to_textbook(fused_case(name, dtype, SEVERAL_BLOCKS[name]))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_equal_the_textbook(name):
    assert_equal_to_textbook(fused_case(name, "float32", PUBLISHED[name]))


@pytest.mark.parametrize("name", SEVERAL_BLOCKS)
def test_any_number_of_threads_gives_the_same_bits(name):
    case = fused_case(name, "float32", SEVERAL_BLOCKS[name])

    def compute():
        output, *_, backward = case.function(*case.inputs)
        return output, backward(numpy.cos(output) if output.ndim else 1.0)

    one, *others = (bits_on_threads(compute, count) for count in (1, 2, 3, 2))
    assert all(found == one for found in others)
    assert all(any(array) for array in one)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1,), (7,), (33, 500)])
def test_uniform_has_the_bits_of_the_textbook(dtype, shape):
    arguments = numpy, (5 << 32) + 3, "gradient noise", (2 << 32) + 9, shape, dtype
    found, expected = FUSED.uniform(*arguments), operations.uniform(*arguments)
    assert found.dtype == expected.dtype and found.shape == shape
    assert (found == expected).all()


def test_kernel_threads_are_restored():
    before = allowed_threads()
    with kernel_threads(1):
        assert allowed_threads() == 1
    assert allowed_threads() == before
