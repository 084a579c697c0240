"""The random numbers: the published Philox, and what each draw depends on."""

import numpy
import pytest

from kvnet import counter_random

# Known answers published with the Random123 library for philox4x32 with 10 rounds.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0"),
]
ANSWERS = [
    "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    "408f276d 41c83b0e a20bc7c6 6d5451fd",
    "d16cfe09 94fdcceb 5001e420 24126ea1",
]


def hexadecimal(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("inputs", "answer"), list(zip(KNOWN, ANSWERS, strict=True)))
def test_philox_gives_the_known_answers(inputs, answer):
    counter, key = map(hexadecimal, inputs)
    words = counter_random.philox([numpy.array([c], numpy.uint64) for c in counter], key)
    assert [int(word[0]) for word in words] == hexadecimal(answer)


def test_numbers_hang_on_seed_purpose_step_and_index_alone():
    def draw(seed=1, purpose="noise", step=5, count=100):
        return counter_random.random_words(numpy, seed, purpose, step, count)

    words = draw()
    assert (draw(count=37) == words[:37]).all()
    for other in (draw(seed=2), draw(seed=1 + (1 << 32)), draw(purpose="start"), draw(step=6)):
        assert (other == words).mean() < 0.05
    steps = numpy.array([[5], [9], [1 << 40]], "uint64")  # several at once are those one by one
    one_by_one = [draw(step=step, count=37) for step in steps[:, 0].tolist()]
    assert (draw(step=steps, count=37) == one_by_one).all()


def test_uniform_is_the_same_in_both_precisions_and_never_0_or_1():
    args = (numpy, 3, "test", 0, (200, 500))
    single, double = (counter_random.uniform(*args, dtype) for dtype in ("float32", "float64"))
    assert single.dtype == "float32"
    assert (single == double).all()
    assert 0 < double.min() < 1e-4
    assert 1 - 1e-4 < double.max() < 1
    counts, _ = numpy.histogram(double, bins=20, range=(0, 1))
    assert ((counts - 5000) ** 2 / 5000).sum() < 43.8  # chi-squared, 19 degrees: p = 0.001


def test_normal_has_normal_moments():
    z = counter_random.normal(numpy, 0, "test", 0, (999, 1001), "float64")
    assert z.shape == (999, 1001)
    assert abs(z.mean()) < 0.004
    assert z.std() == pytest.approx(1, abs=0.003)
    assert (z**3).mean() == pytest.approx(0, abs=0.02)
    assert (z**4).mean() == pytest.approx(3, abs=0.05)
    assert numpy.corrcoef(z[:, :-1].ravel(), z[:, 1:].ravel())[0, 1] == pytest.approx(0, abs=0.004)


def test_permutation_is_one():
    order = counter_random.permutation(numpy, 0, "test", 1, 1000)
    assert sorted(order) == list(range(1000))
    assert list(order) != list(counter_random.permutation(numpy, 0, "test", 2, 1000))
