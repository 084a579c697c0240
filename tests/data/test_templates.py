"""Questions made from templates, and the chains of relations that answer them."""

import itertools

import numpy
import pytest

from kvnet import InputError
from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.knowledge_questions import read_questions
from kvnet.data.relation_paths import count_walks, follow, format_path, parse_path
from kvnet.data.templates import questions_of_templates, read_templates, templates_of

BASE = KnowledgeBase.of_facts(
    [(f"film {i}", "made_by", f"person {i % 7}") for i in range(40)]
    + [(f"person {i}", "born/in", f"town {i % 2}") for i in range(7)]
)
LINES = (
    "made_by\twho made []?\n"
    "\n"
    "^made_by\tWhat did [] make\n"
    "^made_by\tname the films of []\n"
    "made_by/born/in\twhere was the maker of [] born\n"
)
METAQA_RELATIONS = {
    "actor": "starred_actors",
    "director": "directed_by",
    "genre": "has_genre",
    "language": "in_language",
    "writer": "written_by",
    "year": "release_year",
}


def templates(tmp_path, text, **options):
    path = tmp_path / "templates.txt"
    path.write_text(text, encoding="utf-8")
    return read_templates(path, BASE, **options)


def test_a_file_of_templates(tmp_path):
    read = templates(tmp_path, LINES)
    assert [format_path(each.path, BASE) for each in read] == [
        "made_by",
        "^made_by",
        "^made_by",
        "made_by/born/in",
    ]
    assert read[1].words == ("what", "did", "[]", "make")
    assert read == templates_of(
        {
            "made_by": ["who made []"],
            "^made_by": ["what did [] make", "name the films of []"],
            "made_by/born/in": ["where was the maker of [] born"],
        },
        BASE,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LINES + "made_by\twho made it\n", "line 6: 'who made it' has no slot for the entity"),
        (LINES + "made_by\t[] or []\n", "line 6: .* has 2 slots"),
        (LINES + "made_by\t[]?\n", "line 6: .* has no words besides"),
        (LINES + "made_by who made []\n", "line 6: .* is not a relation, a tab and a sentence"),
        (LINES + "made_by\ta []\tb\n", "line 6: .* is not a relation, a tab and a sentence"),
        (LINES + "made_by\t\n", "line 6: .* is not a relation, a tab and a sentence"),
        (LINES + "mad_by\twho []\n", "line 6: 'mad_by' is not a relation .*mean 'made_by'"),
        (LINES + "made_by/x\twho []\n", "line 6: 'x' is not a relation"),
        (LINES + "/".join(["made_by"] * 4) + "\twho []\n", "line 6: .* chain of 4 relations"),
        (
            LINES + "made_by\tname the films of []!\n",
            "line 6: the sentence .* on line 4, for .made",
        ),
        ("made_by\twho made []\n", "no template for the relations born/in; add lines such as"),
        ("made_by\t-\nborn/in\t-\n", "has no template"),
        ("", "the file is empty"),
        ("made_by\t[] \0\n", "line 1: contains a zero byte"),
    ],
)
def test_a_malformed_file_error(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        templates(tmp_path, text)
    assert "\n" not in str(error.value) and "templates.txt" in str(error.value)


def test_a_relation_may_be_left_out_by_name(tmp_path):
    assert len(templates(tmp_path, "made_by\twho made []\nborn/in\t-\n")) == 1


def test_a_repeated_template_is_said(tmp_path):
    said = []
    assert len(templates(tmp_path, LINES + "made_by\twho  made []\n", say=said.append)) == 4
    assert "1 templates are repeated and kept once, the first on line 6 (who  made [])" in said[0]


def test_made_questions_have_all_right_answers(tmp_path):
    made = questions_of_templates(BASE, templates(tmp_path, LINES))
    about = {split: set() for split in made}
    for split, questions in made.items():
        for q in range(len(questions.entities)):
            path = parse_path(questions.types[q], BASE, "")
            entity = int(questions.entities[q])
            about[split].add((path, entity))
            assert questions.answers_of(q).tolist() == sorted(walk(BASE, path, entity))
            words = questions.texts[questions.text_rows[q]]
            assert (path, words) in templates(tmp_path, LINES)
            assert questions.hops[q] == len(path)
    for one, other in itertools.combinations(about.values(), 2):
        assert not one & other
    # 40 films with 2 chains, 7 people with 1
    assert [len(about[split]) for split in ("validation", "testing")] == [8, 8]
    assert sum(map(len, about.values())) == 40 + 40 + 7
    people = [q for q, kind in enumerate(made["training"].types) if kind == "^made_by"]
    assert len(people) == 7 * 2  # each in both sentences


def walk(base, path, start):
    """Follow a chain fact by fact."""
    reached = {start}
    for step, relation in enumerate(path):
        reached = {
            int(o if relation < len(base.relations) else s)
            for s, r, o in base.facts.tolist()
            if r == relation % len(base.relations)
            and (s if relation < len(base.relations) else o) in reached
        }
        if step:
            reached -= {start}
    return reached


def test_at_most_some_questions_spread_over_the_chains(tmp_path):
    made = questions_of_templates(BASE, templates(tmp_path, LINES), most=40)
    kinds = made["training"].types
    assert len(kinds) == 40
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "made_by": 13,
        "^made_by": 13,
        "made_by/born/in": 14,
    }
    again = questions_of_templates(BASE, templates(tmp_path, LINES), most=40)
    other = questions_of_templates(BASE, templates(tmp_path, LINES), most=40, random_state=1)
    same, changed = (each["training"].fingerprint for each in (again, other))
    assert same == made["training"].fingerprint != changed


def test_a_chain_that_no_fact_follows_is_said():
    said = []
    chains = {"made_by": ["who made []"], "born/in/made_by": ["what []"]}
    made = questions_of_templates(BASE, templates_of(chains, BASE), say=said.append)
    assert set(made["training"].types) == {"made_by"}
    assert said == ["no fact of the base follows born/in/made_by; its templates are not used"]
    with pytest.raises(InputError, match="no question can be made"):
        questions_of_templates(
            BASE, templates_of({"born/in/made_by": ["a []"]}, BASE), say=said.append
        )


def test_the_number_of_ways_along_a_chain():
    counts = count_walks(BASE, parse_path("^born/in/^made_by", BASE, ""))
    assert counts[BASE.find("town 1")] == sum(i % 7 in (1, 3, 5) for i in range(40))
    assert counts.sum() == 40


@pytest.mark.parametrize("hops", [2, 3])
def test_chains_give_the_answers_of_metaqa(metaqa, film_base, hops):
    folder = metaqa / f"{hops}-hop"
    types = folder / "qa_test_qtype.txt"
    questions = read_questions(folder / "qa_test.txt", film_base, types=types)
    R = len(film_base.relations)
    types = numpy.array(questions.types)
    assert len(set(questions.types)) == {2: 21, 3: 15}[hops]
    for kind in set(questions.types):
        ends = kind.split("_to_")
        path = tuple(
            film_base.relations.index(METAQA_RELATIONS[there])
            if here == "movie"
            else film_base.relations.index(METAQA_RELATIONS[here]) + R
            for here, there in itertools.pairwise(ends)
        )
        rows = numpy.flatnonzero(types == kind)[:300]
        ends, starts = follow(film_base, path, questions.entities[rows])
        for i, q in enumerate(rows):
            assert set(ends[starts[i] : starts[i + 1]]) == set(questions.answers_of(q))


def test_templates_of_a_mapping_are_checked_like_a_file(recwarn):
    assert len(templates_of({"made_by": ["who made []"], "born/in": ["-"]}, BASE)) == 1
    again = {"made_by": ["who made []", "who  made []"]}
    assert len(templates_of(again, BASE)) == 1
    assert "1 templates are repeated and kept once" in str(recwarn.pop().message)
    for wrong, message in (
        (
            {"made_by": "who made []"},
            r"'who made \[\]' for 'made_by' is not a list of sentences",
        ),
        ({"made_by": [3]}, "is not a list of sentences"),
        ({"made_by": ["who []"], "born/in": ["who []"]}, "is also on 'made_by', for"),
        ({"made_by": ["who made it"]}, "templates, 'made_by': 'who made it' has no slot"),
    ):
        with pytest.raises(InputError, match=message):
            templates_of(wrong, BASE)
