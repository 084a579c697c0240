"""The invented world: its size, its questions, and that it is the same every time."""

import pytest

from kvnet.data.made_world import SENTENCES, made_questions, made_world


@pytest.mark.parametrize("facts", [100, 1000, 10_000])
def test_a_world_has_about_the_facts_asked_for(facts):
    base = made_world(facts)
    assert abs(len(base) - facts) < 0.02 * facts
    assert len(base.relations) == 8


def test_a_world_is_the_same_every_time():
    base, again, other = made_world(1000), made_world(1000), made_world(1000, random_state=1)
    assert base.entities == again.entities and (base.facts == again.facts).all()
    assert base.entities != other.entities
    questions = [made_questions(each, 500)["training"].fingerprint for each in (base, again, other)]
    assert questions[0] == questions[1] != questions[2]


def test_questions_of_one_to_three_hops_in_all_sentences():
    made = made_questions(made_world())
    training = made["training"]
    sizes = {split: len(questions.entities) for split, questions in made.items()}
    assert 29_900 < sizes["training"] <= 30_000
    assert 2_900 < sizes["validation"] <= 3_000 and 2_900 < sizes["testing"] <= 3_000
    assert set(training.hops.tolist()) == {1, 2, 3}
    assert set(training.types) == set(SENTENCES)
    assert len(training.texts) == sum(map(len, SENTENCES.values()))
