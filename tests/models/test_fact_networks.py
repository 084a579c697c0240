"""Networks on knowledge bases: they read the facts that they are given."""

from dataclasses import replace

import numpy
import pytest
from helpers.kernel_cases import bits_on_threads

from kvnet.data.fact_data import FactDataset, encode_facts
from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.templates import questions_of_templates, templates_of
from kvnet.training.fact_scores import fact_scores, facts_cut
from kvnet.training.fused_steps import steps_for
from kvnet.training.recipes.facts import FACT_PRESETS
from kvnet.training.trainer import Trainer

TEMPLATES = {
    "directed_by": ["who directed []", "who is the director of []"],
    "starring": ["who stars in []", "the actors in []"],
    "^directed_by": ["what did [] direct", "films directed by []"],
    "directed_by/^directed_by": [
        "films by the director of []",
        "what else did the director of [] direct",
    ],
}


def films(count=60):
    rows = []
    for n in range(count):
        rows.append((f"film {n}", "directed_by", f"director {n % 13}"))
        rows += [(f"film {n}", "starring", f"actor {(n * k) % 17}") for k in (3, 5)]
    return KnowledgeBase.of_facts(rows)


def trained(preset, steps, **changes):
    """Return a network that is trained on questions about films, and its data."""
    base = films()
    made = questions_of_templates(base, templates_of(TEMPLATES, base), random_state=0)
    data = encode_facts(base, {"training": made["training"]})
    recipe = replace(FACT_PRESETS[preset], batch_size=32, learning_rate=0.01, **changes)
    trainer = Trainer(recipe.new_model(data, 0, "numpy", "auto"), data.training, recipe, 0)
    trainer.optimizer.steps = steps
    steps_for([trainer]).train(steps)
    return trainer.model, data


@pytest.fixture(scope="module")
def chain():
    return trained("kv-chain", 300)


def ask(model, data, base, text, name):
    """Return the best answer from a base with the trained ids, and its probability."""
    words = numpy.array(data.vocabulary.ids(text.split(), "a question"))
    reading = model.read(base, words, base.id_of(name))
    if not len(reading.entities):
        return None, 0.0
    best = reading.probabilities.argmax()
    return base.entities[reading.entities[best]], float(reading.probabilities[best])


def aligned(data, facts):
    return KnowledgeBase.of_facts(facts).aligned(data.base.entities, data.base.relations)


def test_the_network_learns_its_questions(chain):
    model, data = chain
    scores = fact_scores(model, data.training)
    assert scores.hits1.mean() > 0.99 and scores.f1.mean() > 0.98
    assert not facts_cut(model, data.training).any()


def test_a_changed_value_changes_the_answer(chain):
    model, data = chain
    other = aligned(data, [("film 1", "directed_by", "director 9")])
    assert ask(model, data, data.base, "who directed []", "film 1")[0] == "director 1"
    found, probability = ask(model, data, other, "who directed []", "film 1")
    assert found == "director 9" and probability > 0.9


def test_a_new_fact_about_a_new_name_is_found(chain):
    model, data = chain
    new = aligned(data, [("Some film", "directed_by", "Some director")])
    assert ask(model, data, new, "who directed []", "Some film")[0] == "Some director"


def test_a_removed_fact_is_missed(chain):
    model, data = chain
    rest = aligned(
        data, [("film 1", "starring", "actor 3"), ("film 2", "directed_by", "director 1")]
    )
    _, probability = ask(model, data, rest, "who directed []", "film 1")
    assert probability < 0.1


def test_what_was_read_is_explained(chain):
    model, data = chain
    words = numpy.array(
        data.vocabulary.ids(["films", "by", "the", "director", "of", "[]"], "a question")
    )
    reading = model.read(data.base, words, data.base.id_of("film 1"))
    assert len(reading.hops) == 2
    owners, edges, weights = (part[reading.hops[0][2].argmax()] for part in reading.hops[0])
    fact = data.base.fact_of_edge(int(owners), int(edges))
    assert str(fact) == "film 1 | directed_by | director 1" and weights > 0.9


@pytest.mark.parametrize("preset", FACT_PRESETS)
def test_one_question_is_answered_as_in_a_batch(preset):
    model, data = (
        trained(preset, 20, memory_steps=2) if preset != "kv-chain" else trained(preset, 20)
    )
    batch = data.training.batch(numpy.arange(40))
    weights, candidates = model.forward(batch)
    for b in range(40):
        words = batch.words[batch.texts[batch.rows[b]]]
        reading = model.read(data.base, words[words != 0], batch.asked[b])
        mine = slice(candidates.starts[b], candidates.starts[b + 1])
        assert (reading.entities == candidates.entities[mine]).all()
        numpy.testing.assert_allclose(reading.probabilities, weights[mine], rtol=1e-4, atol=1e-6)


def test_the_published_network_answers_from_one_memory():
    model, data = trained("kv-published", 400, memory_steps=2)
    assert fact_scores(model, data.training).hits1.mean() > 0.95
    names = [*data.base.entities, "Some film"]
    new = KnowledgeBase(names, data.base.relations, [[len(names) - 1, 0, 3]])
    words = numpy.array(data.vocabulary.ids(["who", "directed", "[]"], "a question"))
    reading = model.read(new, words, len(names) - 1)  # it has no embedding
    assert set(reading.entities.tolist()) == {3, len(names) - 1}


def test_a_memory_that_is_cut_is_counted():
    model, data = trained("kv-published", 5, memory_steps=2, memory_size=4)
    cut = facts_cut(model, data.training)
    assert cut.any()
    words = numpy.array(data.vocabulary.ids(["who", "directed", "[]"], "a question"))
    first = int(cut.argmax())
    asked = int(data.training.questions.entities[first])
    assert model.read(data.base, words, asked).cut == cut[first]


@pytest.mark.parametrize("preset", FACT_PRESETS)
def test_any_number_of_threads_trains_the_same_bits(preset):
    def compute():
        model, data = trained(preset, 10)
        return model.theta, model.forward(data.training.batch(numpy.arange(100)))[0]

    one, *others = (bits_on_threads(compute, count) for count in (1, 2, 3))
    assert all(found == one for found in others)


def test_words_that_training_lacks_are_left_out(chain):
    _, data = chain
    base, questions = data.base, data.training.questions
    texts = [(*text, "unheard") for text in questions.texts]
    changed = FactDataset(base, replace(questions, texts=texts), data.vocabulary)
    rows = numpy.arange(9)
    assert (changed.batch(rows).words == data.training.batch(rows).words).all()
