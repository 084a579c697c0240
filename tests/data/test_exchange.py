"""Exchanged values: what is replaced, consistently, and what stays."""

from kvnet import Example
from kvnet.data.exchange import exchange_values, exchangeable
from kvnet.data.simulator.dice import Dice

TOWNS = Example.of_memory(
    "capital peru?",
    keys=["capital peru", "capital japan", "mayor of lima", "mayor of tokyo"],
    values=["lima", "tokyo", "ann", "the old bob"],
    answer="lima",
)
RICHER = Example.of_memory("capital kenya?", ["capital kenya"], ["nairobi"], "nairobi")
STORY = Example.of_story("where is ann?", ["ann went to lima"], "lima")
YES_NO = Example.of_memory("is lima big?", ["lima"], ["huge"], "yes")


def test_words_that_can_take_each_others_place():
    assert exchangeable([TOWNS, RICHER, STORY, YES_NO]) == ["ann", "lima", "nairobi", "tokyo"]
    assert exchangeable([STORY, YES_NO]) == []


def test_a_word_is_replaced_everywhere_in_an_example():
    examples = [TOWNS, RICHER, STORY, YES_NO]
    words, dice = exchangeable(examples), Dice("test")
    answers = set()
    for _ in range(50):
        towns, richer, story, yes_no = exchange_values(examples, words, dice)
        assert story is STORY and yes_no is YES_NO
        lima, tokyo, ann = (value[0] for value in towns.values[:3])
        assert len({lima, tokyo, ann}) == 3 and {lima, tokyo, ann} <= set(words)
        expected = Example.of_memory(
            "capital peru?",
            keys=["capital peru", "capital japan", f"mayor of {lima}", f"mayor of {tokyo}"],
            values=[lima, tokyo, ann, "the old bob"],
            answer=lima,
        )
        assert towns == expected._replace(texts=())
        assert richer.values == ((richer.answer,),)
        answers.add(towns.answer)
    assert answers == set(words)
