"""Every operation against a plain loop, and its backward pass against central differences."""

from functools import partial

import numpy
import pytest

from kvnet import operations as ops
from kvnet.gradcheck import gradient_errors

B, M, S, V, E, F, N = 3, 5, 4, 11, 6, 7, 5


def words_with_padding(rng, *shape):
    words = rng.integers(1, V, shape)
    words[..., -1] = 0
    words[0, :] = 3  # a word said again and again
    return words


CASES = {}


def case(make):
    CASES[make.__name__] = make
    return make


@case
def embedding_lookup(rng):
    words = words_with_padding(rng, N, S)
    return lambda table: ops.embedding_lookup(numpy, words, table), [rng.normal(size=(V, E))]


@case
def embedding_sum(rng):
    words, encoding = words_with_padding(rng, N, S), rng.normal(size=(S, E))
    return lambda table: ops.embedding_sum(numpy, words, table, encoding), [rng.normal(size=(V, E))]


@case
def linear(rng):
    return partial(ops.linear, numpy), [rng.normal(size=(B, M, E)), rng.normal(size=(F, E))]


@case
def softmax(rng):
    return partial(ops.softmax, numpy), [rng.normal(size=(B, M))]


@case
def masked_softmax(rng):
    allowed = rng.random((B, M)) < 0.6
    allowed[0] = False  # a memory with nothing in it
    return lambda s: ops.softmax(numpy, s, allowed), [rng.normal(size=(B, M))]


@case
def address(rng):
    shapes = [(B, F), (B, M, F), (B, M, F)]
    return partial(ops.address, numpy), [rng.normal(size=shape) for shape in shapes]


@case
def hop(rng):
    return partial(ops.hop, numpy), [rng.normal(size=s) for s in [(B, F), (B, F), (F, F)]]


@case
def memory_read(rng):
    allowed = numpy.arange(M) < rng.integers(1, M, (B, 1))

    def read(query, keys, values, A, R_1, R_2):
        u, p, backward = ops.memory_read(numpy, query, keys, values, A, [R_1, R_2], allowed)

        def flat_backward(du):
            *gradients, d_hops = backward(du)
            return *gradients, *d_hops

        return u, p, flat_backward

    shapes = [(B, E), (B, M, E), (B, M, E), (F, E), (F, F), (F, F)]
    return read, [0.5 * rng.normal(size=shape) for shape in shapes]


@case
def gru(rng):
    shapes = [(N, S, E), (E + F, 2 * F), (2 * F,), (E + F, F), (F,)]
    return partial(ops.gru, numpy), [0.5 * rng.normal(size=shape) for shape in shapes]


@case
def dropout(rng):
    uniforms = rng.random((N, F))
    return lambda x: ops.dropout(numpy, x, uniforms, 0.7), [rng.normal(size=(N, F))]


@case
def word_scores(rng):
    return partial(ops.word_scores, numpy), [rng.normal(size=(B, E)), rng.normal(size=(V, E))]


@case
def cross_entropy(rng):
    answers = rng.integers(0, V, B)
    return lambda s: ops.cross_entropy(numpy, s, answers), [rng.normal(size=(B, V))]


@case
def l2_penalty(rng):
    def penalty(a, b):
        loss, backward = ops.l2_penalty(numpy, {"a": a, "b": b}, 0.3)
        return loss, lambda d_loss: tuple(backward(d_loss).values())

    return penalty, [rng.normal(size=(V, E)), rng.normal(size=F)]


@pytest.mark.parametrize("name", CASES)
def test_backward_is_the_gradient(name, rng):
    operation, inputs = CASES[name](rng)
    assert max(gradient_errors(operation, inputs)) < 1e-8


def test_every_operation_is_checked():
    constants = {"position_encoding"}
    assert set(ops.__all__) - constants <= set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_float32_stays_float32(name, rng):
    operation, inputs = CASES[name](rng)
    inputs = [x.astype("float32") for x in inputs]
    output, *_, backward = operation(*inputs)
    gradients = backward(numpy.ones_like(output))
    if name not in ("embedding_sum", "memory_read", "dropout"):  # their constants are float64 here
        assert output.dtype == "float32"
        for gradient in gradients if isinstance(gradients, tuple) else (gradients,):
            assert gradient.dtype == "float32"


@pytest.mark.parametrize("name", sorted(set(CASES) - {"l2_penalty"}))
def test_forward_takes_complex_numbers(name, rng):
    # The derivative along a direction, by a complex step, against the backward pass.
    operation, inputs = CASES[name](rng)
    directions = [rng.normal(size=x.shape) for x in inputs]
    output, *_, backward = operation(*inputs)
    d_output = rng.normal(size=numpy.shape(output))
    gradients = backward(d_output)
    gradients = (gradients,) if len(inputs) == 1 else gradients
    stepped = operation(*[x + 1e-30j * d for x, d in zip(inputs, directions, strict=True)])[0]
    numerical = (stepped.imag / 1e-30 * d_output).sum()
    analytic = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))
    assert analytic == pytest.approx(numerical, rel=1e-12)


def test_position_encoding_is_the_formula():
    encoding = ops.position_encoding(numpy, 6, 4, "float64")
    for j in range(1, 7):
        for e in range(1, 5):
            expected = 1 + 4 * (e - 4 / 2) * (j - 6 / 2) / (4 * 6)
            assert encoding[j - 1, e - 1] == pytest.approx(expected, rel=1e-15)


def test_embedding_sum_leaves_the_nil_word_out(rng):
    table, encoding = rng.normal(size=(V, E)), rng.normal(size=(S, E))
    words = numpy.array([[2, 5, 0, 0], [0, 0, 0, 0]])
    readings, _ = ops.embedding_sum(numpy, words, table, encoding)
    expected = encoding[0] * table[2] + encoding[1] * table[5]
    numpy.testing.assert_allclose(readings, [expected, numpy.zeros(E)], rtol=1e-14)


def test_softmax_survives_extreme_scores():
    scores = numpy.array([[1e4, -1e4, 1e4], [-1e4, -1e4, -1e4]], "float32")
    p, _ = ops.softmax(numpy, scores)
    numpy.testing.assert_allclose(p, [[0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-6)


def test_masked_softmax_gives_nothing_to_empty_slots(rng):
    allowed = numpy.array([[True, False, True], [False, False, False]])
    p, _ = ops.softmax(numpy, rng.normal(size=(2, 3)), allowed)
    assert p[0, 1] == 0
    assert p[0].sum() == pytest.approx(1)
    assert (p[1] == 0).all()


def test_memory_read_is_the_formula(rng):
    _, (query, keys, values, A, *hop_matrices) = memory_read(rng)
    u, attention, _ = ops.memory_read(numpy, query, keys, values, A, hop_matrices)
    for b in range(B):
        expected = A @ query[b]
        for h, R in enumerate(hop_matrices):
            scores = numpy.array([expected @ (A @ keys[b, i]) for i in range(M)])
            p = numpy.exp(scores) / numpy.exp(scores).sum()
            numpy.testing.assert_allclose(attention[h, b], p, rtol=1e-12)
            o = sum(p[i] * (A @ values[b, i]) for i in range(M))
            expected = R @ (expected + o)
        numpy.testing.assert_allclose(u[b], expected, rtol=1e-12)


def test_gru_is_the_formula(rng):
    _, (x, Wg, bg, Wc, bc) = gru(rng)
    h, _ = ops.gru(numpy, x, Wg, bg, Wc, bc)

    def sigmoid(a):
        return 1 / (1 + numpy.exp(-a))

    for n in range(N):
        state = numpy.zeros(F)
        for s in range(S):
            gates = sigmoid(numpy.concatenate([x[n, s], state]) @ Wg + bg)
            r, z = gates[:F], gates[F:]
            c = numpy.tanh(numpy.concatenate([x[n, s], r * state]) @ Wc + bc)
            state = z * state + (1 - z) * c
        numpy.testing.assert_allclose(h[n], state, rtol=1e-12)


def test_cross_entropy_is_minus_log_probability(rng):
    scores, answers = 3 * rng.normal(size=(B, V)), rng.integers(0, V, B)
    loss, _ = ops.cross_entropy(numpy, scores, answers)
    p = numpy.exp(scores) / numpy.exp(scores).sum(axis=1, keepdims=True)
    assert loss == pytest.approx(-sum(numpy.log(p[b, answers[b]]) for b in range(B)), rel=1e-12)


def test_dropout_keeps_its_share_and_the_mean(rng):
    x = numpy.ones((100, 100))
    y, _ = ops.dropout(numpy, x, rng.random(x.shape), 0.7)
    assert (y != 0).mean() == pytest.approx(0.7, abs=0.02)
    assert y.max() == pytest.approx(1 / 0.7)
