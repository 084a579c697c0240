"""Counter-based random words: the published Philox, and what a draw depends on."""

import numpy
import pytest

from kvnet.counter_random import permutation, philox, random_words

# Counter, key and answer, published with the Random123 library for philox4x32 with 10 rounds.
KNOWN_ANSWERS = {
    "zeros": ("0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    "ones": (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    "digits of pi": (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
}


def hexadecimal(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize("name", KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(name):
    counter, key, expected = map(hexadecimal, KNOWN_ANSWERS[name])
    words = philox([numpy.array([c], numpy.uint64) for c in counter], key)
    assert [int(word[0]) for word in words] == expected


def test_words_depend_on_seed_purpose_step_and_index_only():
    def draw(seed=1, purpose="noise", step=5, count=100):
        return random_words(numpy, seed, purpose, step, count)

    words = draw()
    assert (draw(count=37) == words[:37]).all()
    for other in (draw(seed=2), draw(seed=1 + (1 << 32)), draw(purpose="start"), draw(step=6)):
        assert (other == words).mean() < 0.05
    steps = numpy.array([[5], [9], [1 << 40]], "uint64")  # several steps in one call
    one_by_one = [draw(step=step, count=37) for step in steps[:, 0].tolist()]
    assert (draw(step=steps, count=37) == one_by_one).all()


def test_permutation_has_every_index_once():
    order = permutation(numpy, 0, "test", 1, 1000)
    assert sorted(order) == list(range(1000))
    assert list(order) != list(permutation(numpy, 0, "test", 2, 1000))
