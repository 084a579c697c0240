"""Exchange the values of key-value memories, so that a model reads them instead of remembering.

Trained on one memory only, a network learns each question's answer by heart. If the values change
in every epoch, and the answers with them, only the memory leads to the answer.
"""

from collections.abc import Sequence

from kvnet.data.example import Example
from kvnet.data.simulator.dice import Dice


def exchangeable(examples: Sequence[Example]) -> list[str]:
    """Return the words that can take each other's place: answers, and single words as values.

    Parameters
    ----------
    examples : sequence of Example

    Returns
    -------
    words : list of str
        Sorted. Empty if no memory has keys and values that differ and the answer among the values.
    """
    suitable = [example for example in examples if _is_suitable(example)]
    return sorted({value[0] for e in suitable for value in e.values if len(value) == 1})


def exchange_values(examples: Sequence[Example], words: Sequence[str], dice: Dice) -> list[Example]:
    """Return examples in which words have taken each other's place, drawn for each example.

    A word is replaced by the same word in the question, the keys, the values and the answer. An
    example whose answer is not one of its values stays as it is.

    Parameters
    ----------
    examples : sequence of Example
    words : sequence of str
        From `exchangeable`.
    dice : Dice

    Returns
    -------
    examples : list of Example
    """
    known = set(words)
    return [_exchanged(e, words, known, dice) if _is_suitable(e) else e for e in examples]


def _is_suitable(example):
    return example.keys != example.values and (example.answer,) in example.values


def _exchanged(example, words, known, dice):
    texts = (example.question, *example.keys, *example.values, (example.answer,))
    own = [word for word in dict.fromkeys(w for text in texts for w in text) if word in known]
    place = dict(zip(own, dice.sample(words, len(own)), strict=True))

    def replaced(text):
        return tuple(place.get(word, word) for word in text)

    return Example(
        replaced(example.question),
        tuple(map(replaced, example.keys)),
        tuple(map(replaced, example.values)),
        place[example.answer],
    )
