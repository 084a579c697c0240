"""What single operations compute, beyond their gradients and the formulas of the oracle."""

import numpy
import pytest

from kvnet import operations as ops

B, M, S, V, E, F = 3, 5, 4, 11, 6, 7


def test_position_encoding_is_the_formula():
    encoding = ops.position_encoding(numpy, 6, 4, "float64")
    for j in range(1, 7):
        for e in range(1, 5):
            expected = 1 + 4 * (e - 4 / 2) * (j - 6 / 2) / (4 * 6)
            assert encoding[j - 1, e - 1] == pytest.approx(expected, rel=1e-15)


def test_encodings_of_memn2n_are_the_formulas():
    matlab = ops.centred_position_encoding(numpy, 5, 4, "float64")
    fixed, by_length = ops.own_length_encoding(numpy, 7, 4, "float64")
    paper = fixed + by_length / 5  # of a sentence of five words, where the longest has seven
    for j in range(1, 6):
        for k in range(1, 5):
            centred = 1 + 4 * (k - 5 / 2) * (j - 6 / 2) / (4 * 5)
            assert matlab[j - 1, k - 1] == pytest.approx(centred, rel=1e-14)
            own = (1 - j / 5) - (k / 4) * (1 - 2 * j / 5)
            assert paper[j - 1, k - 1] == pytest.approx(own, abs=1e-14)


def test_embedding_sum_omits_the_nil_word(rng):
    table, encoding = rng.normal(size=(V, E)), rng.normal(size=(S, E))
    words = numpy.array([[2, 5, 0, 0], [0, 0, 0, 0]])
    readings, _ = ops.embedding_sum(numpy, words, table, encoding)
    expected = encoding[0] * table[2] + encoding[1] * table[5]
    numpy.testing.assert_allclose(readings, [expected, numpy.zeros(E)], rtol=1e-14)


def test_softmax_of_extreme_scores():
    scores = numpy.array([[1e4, -1e4, 1e4], [-1e4, -1e4, -1e4]], "float32")
    p, _ = ops.softmax(numpy, scores)
    numpy.testing.assert_allclose(p, [[0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-6)


def test_masked_softmax_gives_empty_slots_no_weight(rng):
    allowed = numpy.array([[True, False, True], [False, False, False]])
    p, _ = ops.softmax(numpy, rng.normal(size=(2, 3)), allowed)
    assert p[0, 1] == 0
    assert p[0].sum() == pytest.approx(1)
    assert (p[1] == 0).all()


def test_key_value_hops_are_the_formula(rng):
    shapes = [(B, E), (B, M, E), (B, M, E), (F, E), (2, F, F)]
    query, keys, values, A, R = [0.5 * rng.normal(size=shape) for shape in shapes]
    u, attention, _ = ops.key_value_hops(numpy, query, keys, values, A, R)
    for b in range(B):
        expected = A @ query[b]
        for h in range(2):
            scores = numpy.array([expected @ (A @ keys[b, i]) for i in range(M)])
            p = numpy.exp(scores) / numpy.exp(scores).sum()
            numpy.testing.assert_allclose(attention[h, b], p, rtol=1e-12)
            o = sum(p[i] * (A @ values[b, i]) for i in range(M))
            expected = R[h] @ (expected + o)
        numpy.testing.assert_allclose(u[b], expected, rtol=1e-12)


def test_dropout_keeps_its_share_and_the_mean(rng):
    x = numpy.ones((100, 100))
    y, _ = ops.dropout(numpy, x, rng.random(x.shape), 0.7)
    assert (y != 0).mean() == pytest.approx(0.7, abs=0.02)
    assert y.max() == pytest.approx(1 / 0.7)
