"""Fused kernels against the textbook operations that they stand in for."""

import os

import numpy
import pytest
from conftest import loss_and_grads, random_batch, small_model
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from kvnet import InputError, counter_random, operations
from kvnet.kernels import choose, kernel_threads
from kvnet.kernels.parts.compilation import forget_outdated
from kvnet.kernels.parts.vector_math import cosine_and_sine, exp, log
from kvnet.updates.noisy_adam import UpdateRule, noisy_adam

FUSED = choose("fused", numpy)
TOLERANCE = {"float32": 1e-4, "float64": 1e-11}
sizes = st.integers(1, 9)


def agree(got, expected, dtype):
    assert got.dtype == expected.dtype == dtype
    assert got.shape == expected.shape
    # Gradients that cancel to nearly nothing are compared on the scale of their parts.
    error = numpy.linalg.norm(got - expected)
    assert error <= TOLERANCE[dtype] * max(numpy.linalg.norm(expected), 0.1)


def agree_throughout(name, inputs, dtype):
    """Compare output and gradients of the two forms of an operation."""
    found = []
    for form in (getattr(FUSED, name), getattr(operations, name)):
        output, *_, backward = form(numpy, *inputs)
        d_output = numpy.random.default_rng(7).normal(size=output.shape).astype(dtype)
        gradients = backward(d_output)
        gradients = gradients if isinstance(gradients, tuple) else (gradients,)
        flat = [g for part in gradients for g in (part if isinstance(part, list) else [part])]
        found.append([output, *flat])
    for got, expected in zip(*found, strict=True):
        agree(got, expected, dtype)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(sizes, sizes, sizes, sizes, st.sampled_from(["float32", "float64"]), st.integers(0, 999))
def test_embedding_sum(N, S, V, E, dtype, seed):
    rng = numpy.random.default_rng(seed)
    words = rng.integers(0, V, (N, S)) * rng.integers(0, 2, (N, S))
    table, encoding = (rng.normal(size=shape).astype(dtype) for shape in ((V, E), (S, E)))
    agree_throughout("embedding_sum", (words, table, encoding), dtype)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    *(sizes,) * 5,
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from(["float32", "float64"]),
    st.integers(0, 999),
)
def test_read_slots(B, M, U, D, F, H, masked, dtype, seed):
    rng = numpy.random.default_rng(seed)

    def draw(*shape):
        return (0.5 * rng.normal(size=shape)).astype(dtype)

    key_rows = rng.integers(0, U, (B, M)) * rng.integers(0, 2, (B, M))
    value_rows = numpy.where(key_rows == 0, 0, rng.integers(0, U, (B, M)))
    inputs = [draw(B, D), draw(U, D), draw(M, D), draw(M, D), draw(F, D)]
    inputs += [[draw(F, F) for _ in range(H)], key_rows, value_rows]
    agree_throughout("key_value_hops_by_row", (*inputs, key_rows != 0 if masked else None), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1,), (7,), (33, 5)])
def test_uniform_has_the_same_bits(dtype, shape):
    args = (numpy, (5 << 32) + 3, "gradient noise", (2 << 32) + 9, shape, dtype)
    got, expected = FUSED.uniform(*args), counter_random.uniform(*args)
    assert got.dtype == expected.dtype
    assert (got == expected).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("clip_norm", [1.0, 1e6])
def test_noisy_adam(rng, dtype, clip_norm):
    theta, gradient, m, v = rng.normal(size=(4, 10_001)).astype(dtype)
    sections = ((0, 7), (7, 4_099), (4_099, 10_001))  # across the blocks of the noise
    rule = UpdateRule(sections, ((7, 9), (4_095, 4_110)), clip_norm, 0.1, 5, noise_deviation=0.3)
    outcomes = []
    for update in (FUSED.noisy_adam, noisy_adam):
        changed = theta.copy(), m.copy(), abs(v)
        update(numpy, changed[0], gradient, *changed[1:], 4, 0.01, rule)
        outcomes.append(changed)
    assert (outcomes[0][0] != theta).all()
    for got, expected in zip(*outcomes, strict=True):
        agree(got, expected, dtype)


@pytest.mark.parametrize("reader", ["bow", "simple_gru"])
@pytest.mark.parametrize("same", [True, False], ids=["keys are values", "keys and values"])
@pytest.mark.parametrize("mask_padding", [False, True])
def test_a_model_does_not_know_which_it_got(rng, reader, same, mask_padding):
    options = {"mask_padding": mask_padding, "keep_prob": 1.0 if reader == "bow" else 0.7}
    batch = random_batch(rng, same)
    found = [
        loss_and_grads(small_model(reader, kernels=kernels, **options), batch, 0.1, step=2)
        for kernels in ("reference", "fused")
    ]
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-12)
    for name, expected in found[0][1].items():
        numpy.testing.assert_allclose(found[1][1][name], expected, rtol=1e-9, atol=1e-12)


def test_what_was_compiled_before_a_change_is_forgotten(tmp_path):
    paths = [tmp_path / name for name in ("old.nbi", "helper.py", "new.nbc", "gone.nbi")]
    for age, path in enumerate(paths[:3]):
        path.touch()
        os.utime(path, (1000 + age, 1000 + age))
    forget_outdated(paths[1:2], [paths[0], *paths[2:]])
    assert [path.exists() for path in paths[:3]] == [False, True, True]


def test_choices():
    assert choose("auto", numpy).key_value_hops_by_row is FUSED.key_value_hops_by_row
    assert choose("reference", numpy).key_value_hops_by_row is operations.key_value_hops_by_row
    with pytest.raises(InputError, match="kernels='fast' is unknown; it takes reference, fused"):
        choose("fast", numpy)


def draw(rng, *shape):
    return (0.5 * rng.normal(size=shape)).astype("float32")


def several_blocks(rng):
    """An operation's kernel with inputs that make several blocks, and its output's gradient."""
    B, M, U, D, F, V, S = 60, 7, 40, 8, 9, 300, 5
    rows = rng.integers(0, U, (B, M)) * (rng.integers(0, M + 1, (B, 1)) > numpy.arange(M))
    memory = [draw(rng, *shape) for shape in ((B, D), (U, D), (M, D), (M, D), (F, D))]
    memory += [[draw(rng, F, F) for _ in range(3)], rows, rows, None]
    answers = rng.integers(0, V, B)
    gru = draw(rng, D + F, 2 * F), draw(rng, 2 * F), draw(rng, D + F, F), draw(rng, F)
    words = rng.integers(0, V, (450, S))
    table = draw(rng, V, D)
    yield "key_value_hops_by_row", memory, draw(rng, B, F)
    yield "answer_loss", (*memory, draw(rng, F, D), table, answers), 1.0
    yield "embedding_sum", (words, table, draw(rng, S, D)), draw(rng, len(words), D)
    yield "gru_reading", (words, table, *gru), draw(rng, len(words), F)
    yield "word_cross_entropy", (draw(rng, B, D), table, answers), 1.0


@pytest.mark.parametrize("place", range(5))
def test_any_number_of_threads_gives_the_same_bits(rng, place):
    name, inputs, d_output = list(several_blocks(rng))[place]
    found = []
    for count in (1, 2, 3, 2):
        with kernel_threads(count):
            output, *_, backward = getattr(FUSED, name)(numpy, *inputs)
            gradients = backward(d_output)
            gradients = gradients if isinstance(gradients, tuple) else (gradients,)
            arrays = [output, *(numpy.stack(g) if isinstance(g, list) else g for g in gradients)]
            found.append([numpy.asarray(array).tobytes() for array in arrays])
    assert found[0] == found[1] == found[2] == found[3]
    assert any(set(part) != {0} for part in found[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vector_math(dtype):
    @njit(error_model="numpy")
    def all_three(x, u, to):
        for n in range(len(x)):
            to[0, n], to[1, n] = exp(x[n]), log(u[n])
            to[2, n], to[3, n] = cosine_and_sine(u[n])

    x = numpy.linspace(-85, 85, 20_001).astype(dtype)
    u = numpy.linspace(2.0**-24, 1 - 2.0**-24, 20_001).astype(dtype)
    to = numpy.empty((4, len(x)), dtype)
    all_three(x, u, to)
    exact_x, angle = x.astype("float64"), 2 * numpy.pi * u.astype("float64")
    tolerance = {"float32": 4e-7, "float64": 1e-15}[dtype]
    assert abs(to[0] / numpy.exp(exact_x) - 1).max() < tolerance
    assert abs(to[1] - numpy.log(u.astype("float64"))).max() < 4 * tolerance
    assert abs(to[2] - numpy.cos(angle)).max() < tolerance
    assert abs(to[3] - numpy.sin(angle)).max() < tolerance
    all_three(numpy.full(1, -1e4, dtype), u, to)
    assert 0 <= to[0, 0] < 1e-37
