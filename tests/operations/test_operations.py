"""Every operation: its gradients proven by gradcheck, its forward against a plain loop."""

import numpy
import pytest

from kvnet import operations as ops
from kvnet.gradcheck.checked_operations import CONSTANTS, OPERATIONS
from kvnet.gradcheck.report import THE_OUTPUT
from kvnet.gradcheck.survey import plans_for, survey_random_cases

B, M, S, V, E, F, N = 3, 5, 4, 11, 6, 7, 5
BARS = {
    ("complex_step", "float64"): 1e-12,
    ("central_differences", "float64"): 1e-8,
    ("random_directions", "float64"): 1e-12,
    ("complex_step", "float32"): 1e-5,
}
EQUAL = {("equality", "float64"): 1e-12, ("equality", "float32"): 5e-5}
VARIANTS = [
    pytest.param(subject, variant, id=f"{subject.name} {variant}")
    for subject in OPERATIONS.values()
    for variant in subject.combinations()
]


@pytest.mark.parametrize(("subject", "variant"), VARIANTS)
def test_every_gradient_is_proven(subject, variant):
    plans = plans_for(None, None)
    found = survey_random_cases(subject, variant, plans, numpy, examples=10, seed=0)
    assert found.failure is None
    bars = dict(BARS)
    if variant.get("kernels") == "fused":  # takes no complex numbers: compared with the textbook
        bars = {plan: bar for plan, bar in BARS.items() if plan[0] != "complex_step"} | EQUAL
        bars["random_directions", "float64"] = 1e-8  # differences, for want of a complex step
    for name, by_plan in found.rows.items():
        assert set(by_plan) == set(EQUAL if name == THE_OUTPUT else bars)
        for plan, row in by_plan.items():
            assert row.error <= bars[plan], (name, plan)
            if variant.get("logits", "ordinary") == "ordinary":
                assert row.vacuous < row.cases, (name, plan)


def test_every_operation_is_checked():
    assert set(ops.__all__) == {*OPERATIONS, *CONSTANTS}


@pytest.mark.parametrize("subject", OPERATIONS.values(), ids=OPERATIONS)
def test_float32_stays_float32(subject):
    case = subject.case(numpy, "float32", subject.numbers("seed=3"))
    assert case.function(*case.inputs)[0].dtype == "float32"


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
    shapes = [(B, E), (B, M, E), (B, M, E), (F, E), (F, F), (F, F)]
    query, keys, values, A, *hop_matrices = [0.5 * rng.normal(size=shape) for shape in shapes]
    u, attention, _ = ops.key_value_hops(numpy, query, keys, values, A, hop_matrices)
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
    shapes = [(N, S, E), (E + F, 2 * F), (2 * F,), (E + F, F), (F,)]
    x, Wg, bg, Wc, bc = [0.5 * rng.normal(size=shape) for shape in shapes]
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
