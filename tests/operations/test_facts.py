"""Operations on knowledge bases: what gradcheck does not see, such as bounds, cuts and order."""

from types import SimpleNamespace

import numpy
import pytest

from kvnet import operations as ops
from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.kernels import choose_operations

FUSED = choose_operations("fused", numpy)
FORMS = {"textbook": ops, "fused": FUSED}
FILMS = [
    ("Kismet", "directed_by", "Dieterle"),
    ("Juarez", "directed_by", "Dieterle"),
    ("Kismet", "starring", "Colman"),
    ("Juarez", "starring", "Muni"),
    ("Zola", "starring", "Muni"),
]


@pytest.fixture
def films():
    base = KnowledgeBase.of_facts(FILMS)
    index = ops.FactIndex(base.starts, base.edge_relations, base.edge_entities)
    relations = {"directed_by": 0, "starring": 1, "^directed_by": 2, "^starring": 3}
    return SimpleNamespace(base=base, index=index, relations=relations, id=base.id_of)


def plan_of(films, path, drop, answer_hop=None):
    """Return a plan that follows a chain of relations with certainty."""
    H = len(path)
    relations = numpy.zeros((H, 1, 4))
    for h, name in enumerate(path):
        relations[h, 0, films.relations[name]] = 1
    hops = numpy.eye(H)[[H - 1 if answer_hop is None else answer_hop]]
    return ops.Plan(relations, numpy.full((H, 1), float(drop)), hops)


def answers(films, form, asked, plan, least=1e-5):
    weights, candidates, _ = FORMS[form].fact_answers(
        numpy, films.index, numpy.array([films.id(asked)]), plan, least
    )
    pairs = zip(candidates.entities, weights, strict=True)
    return {films.base.entities[entity]: weight for entity, weight in pairs if weight > 0.01}


@pytest.mark.parametrize("form", FORMS)
def test_a_chain_of_relations_is_followed(films, form):
    plan = plan_of(films, ("directed_by", "^directed_by", "starring"), drop=1)
    found = answers(films, form, "Kismet", plan)
    assert list(found) == ["Muni"]  # not Colman: Kismet, which was asked about, is dropped
    assert 0.999 < found["Muni"] < 1


@pytest.mark.parametrize("form", FORMS)
def test_the_entity_asked_about_is_dropped_as_far_as_the_plan_says(films, form):
    path = ("directed_by", "^directed_by")
    assert set(answers(films, form, "Kismet", plan_of(films, path, drop=0))) == {"Kismet", "Juarez"}
    assert set(answers(films, form, "Kismet", plan_of(films, path, drop=1))) == {"Juarez"}
    half = answers(films, form, "Kismet", plan_of(films, path, drop=0.25))
    assert half["Kismet"] == pytest.approx(0.75, abs=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_two_ways_to_an_answer_are_not_more_than_certain(films, form):
    base = KnowledgeBase.of_facts(
        [("a", "r", "b"), ("a", "r", "c"), ("b", "r", "d"), ("c", "r", "d")]
    )
    index = ops.FactIndex(base.starts, base.edge_relations, base.edge_entities)
    half = numpy.full((2, 1, 2), 0.5)
    half[:, :, 1] = 0
    plan = ops.Plan(half, numpy.zeros((2, 1)), numpy.array([[0.0, 1.0]]))
    weights, candidates, _ = FORMS[form].fact_answers(
        numpy, index, numpy.array([base.id_of("a")]), plan, 0.0
    )
    found = dict(zip(candidates.entities, weights, strict=True))
    assert found[base.id_of("d")] == pytest.approx(1 - (1 - 0.25) ** 2, abs=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_facts_that_can_add_too_little_are_not_read(films, form):
    relations = numpy.array([[[0.9, 0.05, 0, 0]]])
    asked = numpy.array([films.id("Kismet")])

    def count(share, least):
        plan = ops.Plan(relations, numpy.zeros((1, 1)), numpy.array([[share]]))
        weights, _, _ = FORMS[form].fact_answers(numpy, films.index, asked, plan, least)
        return len(weights)

    assert count(1.0, 0.01) == 2
    assert count(1.0, 0.1) == 1
    assert count(0.1, 0.01) == 1  # the hop answers with a tenth: 0.05 adds 0.005 only
    assert count(0.01, 0.01) == 0


@pytest.mark.parametrize("least", [0.0, 0.02, 0.2])
def test_the_fused_form_reads_the_same_facts(least):
    rng = numpy.random.default_rng(0)
    N, R, B, H = 40, 4, 50, 3
    keys = numpy.sort(rng.integers(0, N, 200))
    starts = numpy.searchsorted(keys, numpy.arange(N + 1))
    index = ops.FactIndex(starts, rng.integers(0, R, 200), rng.integers(0, N, 200))
    shapes = (H, B, R), (H, B), (B, H)
    plan = ops.Plan(*(rng.random(shape) ** 2 for shape in shapes))
    asked = rng.integers(0, N, B)
    found, expected = (form.fact_answers(numpy, index, asked, plan, least) for form in (FUSED, ops))
    for name in ("starts", "entities"):
        assert (getattr(found[1], name) == getattr(expected[1], name)).all()
    numpy.testing.assert_allclose(found[0], expected[0], rtol=1e-10, atol=1e-12)
    d_weights = rng.standard_normal(len(found[0]))
    for ours, theirs in zip(found[2](d_weights), expected[2](d_weights), strict=True):
        numpy.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("form", FORMS)
def test_a_memory_has_the_nearest_facts_and_counts_the_others(films, form):
    asked = numpy.array([films.id("Kismet"), films.id("Zola")])

    def memories(steps, memory_size=100, frequent=100):
        return FORMS[form].find_memories(numpy, films.index, asked, steps, memory_size, frequent)

    one = memories(1)
    assert numpy.diff(one.starts).tolist() == [2, 1]  # Kismet's two facts, Zola's one
    assert not one.left_out.any()
    assert (one.present[one.keys] == numpy.repeat(asked, [2, 1])).all()
    two = memories(2)
    assert numpy.diff(two.starts).tolist() == [2 + 2 + 1, 1 + 2]  # Dieterle's, Colman's; Muni's
    assert (two.present[two.asked] == asked).all()
    cut = memories(2, memory_size=3)
    assert numpy.diff(cut.starts).tolist() == [3, 3] and cut.left_out.tolist() == [2, 0]
    assert (cut.edges[:3] == two.edges[:3]).all()
    rare = memories(2, frequent=1)  # Dieterle and Muni are in two facts
    assert numpy.diff(rare.starts).tolist() == [2 + 1, 1]


def test_the_fused_memories_are_those_of_the_textbook():
    rng = numpy.random.default_rng(1)
    for _ in range(20):
        N, B = rng.integers(1, 30), rng.integers(1, 20)
        keys = numpy.sort(rng.integers(0, N, 60))
        starts = numpy.searchsorted(keys, numpy.arange(N + 1))
        index = ops.FactIndex(starts, rng.integers(0, 3, 60), rng.integers(0, N, 60))
        options = [int(rng.integers(1, top)) for top in (4, 40, 8)]
        arguments = numpy, index, rng.integers(0, N, B), *options
        found, expected = FUSED.find_memories(*arguments), ops.find_memories(*arguments)
        for name, ours, theirs in zip(found._fields, found, expected, strict=True):
            assert ours.shape == theirs.shape and (ours == theirs).all(), name


def test_an_entity_without_facts_has_no_answers():
    starts = numpy.array([0, 0, 1])
    index = ops.FactIndex(starts, numpy.array([0]), numpy.array([0]))
    asked, rng = numpy.array([0, 1]), numpy.random.default_rng(0)
    for form in FORMS.values():
        memories = form.find_memories(numpy, index, asked, 1, 5, 5)
        tables = rng.random((2, 3)), rng.random((2, 3)), rng.random((1, 3)), rng.random((1, 3, 3))
        scores, candidates, _, backward = form.memory_answers(numpy, *tables, memories)
        assert candidates.starts.tolist() == [0, 0, 1]
        assert all(numpy.isfinite(gradient).all() for gradient in backward(scores))


def test_right_answers_that_the_base_lacks_match_nothing():
    candidates = ops.Candidates(numpy.array([0, 2, 3]), numpy.array([5, 7, 7]))
    right, starts = numpy.array([7, -1, 5]), numpy.array([0, 2, 3])
    is_right, questions = ops.right_candidates(numpy, candidates, right, starts)
    assert is_right.tolist() == [False, True, False] and questions.tolist() == [0, 0, 1]


def test_the_loss_of_a_set_is_small_only_for_the_whole_set():
    candidates = ops.Candidates(numpy.array([0, 3]), numpy.array([1, 2, 3]))
    right, starts = numpy.array([1, 2]), numpy.array([0, 2])

    def loss(*weights):
        return ops.answer_set_loss(numpy, numpy.array(weights), candidates, right, starts)[0]

    assert loss(1.0, 1.0, 0.0) < 1e-3
    assert loss(1.0, 0.0, 0.0) > 5  # an answer is missing
    assert loss(1.0, 1.0, 0.9) > 1  # one too many


@pytest.mark.parametrize("form", FORMS)
def test_the_first_of_the_largest_weights_is_found(form):
    starts = numpy.array([0, 3, 3, 5])
    weights = numpy.array([0.2, 0.7, 0.7, 0.1, 0.4])
    found = FORMS[form].largest_by_question(numpy, weights, starts)
    assert found.tolist() == [1, -1, 4]
    assert FORMS[form].largest_by_question(numpy, weights[:0], starts[:1] * 0).tolist() == []
