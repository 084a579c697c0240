"""Reading a knowledge base, its index, and the messages about files that are not one."""

import time
import tracemalloc

import numpy
import pytest

from kvnet import InputError
from kvnet.data.knowledge_base import Fact, KnowledgeBase

FACTS = [
    ("Kismet", "directed_by", "William Dieterle"),
    ("Kismet", "starring", "Marlene Dietrich"),
    ("Dieterle's Life", "about", "William Dieterle"),
    ("Kismet", "release_year", "1944"),
]


def written(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("separator", ["|", "\t", " | "])
def test_a_file_of_facts(tmp_path, separator):
    text = "\n".join(separator.join(fact) for fact in FACTS)
    base = KnowledgeBase.read(written(tmp_path / "kb.txt", f"\ufeff{text}\r\n\n".encode()))
    assert [fact for fact in FACTS if "Kismet" in fact] == base.facts_about("Kismet")
    assert base.facts_about("William Dieterle") == [Fact(*FACTS[0]), Fact(*FACTS[2])]
    assert base.relations == ["directed_by", "starring", "about", "release_year"]
    assert base.entities[0] == "Kismet" and len(base.entities) == 5 and len(base) == 4
    assert "1944" in base and "kismet" not in base
    assert str(base.facts_about("1944")[0]) == "Kismet | release_year | 1944"


def test_the_index_lists_every_fact_in_both_directions(rng):
    N, R, F = 50, 4, 300
    facts = rng.integers(0, [N, R, N], (F, 3)).astype("int32")
    base = KnowledgeBase([f"e{i}" for i in range(N)], [f"r{i}" for i in range(R)], facts)
    different = sorted({tuple(fact) for fact in facts.tolist()})
    assert len(base) == len(different) < F
    assert sorted(map(tuple, base.facts.tolist())) == different
    for e in range(N):
        edges = [
            (int(base.edge_relations[i]), int(base.edge_entities[i]))
            for i in range(base.starts[e], base.starts[e + 1])
        ]
        expected = [(r, o) for s, r, o in different if s == e]
        expected += [(r + R, s) for s, r, o in different if o == e]
        assert edges == sorted(expected)
    assert base.starts[-1] == 2 * len(base)
    first = {fact: i for i, fact in reversed(list(enumerate(map(tuple, facts.tolist()))))}
    places = [first[tuple(fact)] for fact in base.facts.tolist()]
    assert places == sorted(places)  # in the order of the input


def test_a_fact_about_itself_is_listed_once():
    base = KnowledgeBase.of_facts([("a", "likes", "a"), ("a", "likes", "b")])
    assert base.facts_about("a") == [("a", "likes", "a"), ("a", "likes", "b")]


def test_the_real_base(metaqa):
    times = []
    for _ in range(3):
        began = time.perf_counter()
        base = KnowledgeBase.read(metaqa / "kb.txt")
        times.append(time.perf_counter() - began)
    assert min(times) < 2
    assert (len(base), len(base.entities), len(base.relations)) == (133_582, 43_234, 9)
    assert base.nbytes / len(base) < 60
    lines = (metaqa / "kb_entity_dict.txt").read_text(encoding="utf-8").strip().split("\n")
    assert sorted(base.entities) == sorted(line.split("\t")[1] for line in lines)
    assert Fact("Kismet", "starred_actors", "Edward Arnold") in base.facts_about("Edward Arnold")


def test_the_index_of_a_large_base_has_at_most_60_bytes_per_fact(rng):
    N, F = 20_000, 100_000
    names = [f"entity {i}" for i in range(N)]
    facts = rng.integers(0, [N, 5, N], (F, 3)).astype("int32")
    tracemalloc.start()
    base = KnowledgeBase(names, list("abcde"), facts)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    by_name = 200 * N  # the dictionary of names
    assert held - by_name < 60 * F
    assert base.nbytes <= 32 * F


def test_a_header_line_is_left_out_and_said(tmp_path):
    said = []
    path = written(tmp_path / "kb.tsv", "Subject\tRelation\tObject\na\tr\tb\n")
    base = KnowledgeBase.read(path, say=said.append)
    assert base.entities == ["a", "b"]
    assert said == [f"{path}, line 1: is read as a header line, not as a fact"]


def test_a_line_that_may_be_a_header_is_said(tmp_path):
    said = []
    path = written(tmp_path / "kb.tsv", "Film\tproperty\tvalue\na\tr\tb\nc\tr\tb\n")
    assert len(KnowledgeBase.read(path, say=said.append)) == 3
    assert said == [
        f"{path}, line 1: only this line has the relation 'property' and it is read as a fact; "
        "delete it if it is a header line"
    ]


def test_repeated_facts_are_said_and_kept_once(tmp_path):
    said = []
    path = written(tmp_path / "kb.txt", "a|r|b\nc|r|b\na|r|b\n\nc|r| b\n")
    assert len(KnowledgeBase.read(path, say=said.append)) == 2
    (line,) = said
    assert "2 of 4 facts are repeated and kept once, the first on line 3 (a | r | b)" in line
    with pytest.warns(UserWarning, match="kept once"):
        KnowledgeBase.read(path)


def test_names_are_folded_on_request_only(tmp_path):
    composed, decomposed = "Gr\u00e9goire", "Gre\u0301goire"
    path = written(
        tmp_path / "kb.txt", f"Nixon|tag|nixon\n{composed}|r|x\n{decomposed}|r|x\nstraße|r|x\n"
    )
    said = []
    base = KnowledgeBase.read(path, say=said.append)
    assert {"Nixon", "nixon", composed, decomposed} <= set(base.entities)
    (line,) = said
    assert "1 names differ from another only in their Unicode form and stay" in line
    assert "--fold-unicode" in line

    said.clear()
    base = KnowledgeBase.read(path, fold_unicode=True, say=said.append)
    assert {"Nixon", "nixon", composed} <= set(base.entities) and decomposed not in base.entities
    assert base.find(decomposed) == base.find(composed)
    assert "only in Unicode form" in said[1] and "1 of 4 facts are repeated" in said[0]

    base = KnowledgeBase.read(path, fold_case=True, say=said.append)
    assert "nixon" not in base.entities and base.find("NIXON") == base.find("Nixon") == 0
    assert base.find("STRASSE") == base.find("straße")


def test_folding_the_case_of_the_real_base_says_how_many_names_it_merges(metaqa):
    said = []
    base = KnowledgeBase.read(metaqa / "kb.txt", fold_case=True, say=said.append)
    assert len(base.entities) < 43_234 - 3_000
    assert any("43,234 names are" in line and "differ from an earlier one" in line for line in said)


def test_an_unknown_name_gets_the_nearest_ones(film_base):
    with pytest.raises(InputError, match=r"^'Kismit' is not .* did you mean 'Kismet' or"):
        film_base.facts_about("Kismit")
    with pytest.raises(InputError, match="did you mean 'Marlene Dietrich'"):
        film_base.facts_about("Marlene Dietrch")
    with pytest.raises(InputError, match="use the name of an entity, as the base writes it"):
        film_base.facts_about("\x01\x02")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a|r|b\na|r\n", r"line 2: 'a\|r' has 2 fields separated by '\|'; a fact has three"),
        ("a|r|b\n\na|r|b|c\n", "line 3: .* has 4 fields"),
        ("a r b\n", "line 1: 'a r b' has 1 field separated by"),
        ("a\tr\tb\na\tr\tb\tc\n", "line 2: .* has 4 fields separated by a tab"),
        ("a|r|b\na| |b\n", "line 2: a name is empty; give all three names"),
        ("a||b\n", "line 1: a name is empty"),
        ("", "the file is empty; write a fact per line"),
        ("\n \n", "the file is empty"),
        ("subject\trelation\tobject\n", "has no facts below its header"),
        ("a|r|b\nx|\xe9|y\n".encode("latin-1"), "line 2: byte 0xe9 is not UTF-8; save"),
        ("a|r|b\n".encode("utf-16"), "line 1: is UTF-16, not UTF-8; save"),
        ("a|r|b\nx|r|\0\n", "line 2: contains a zero byte"),
        ("a|r|b\nx|r|" + "n" * 10_000_000, "line 2: the name 'n+...' has 10,000,000 characters"),
    ],
)
def test_a_malformed_file_error(tmp_path, content, message):
    path = written(tmp_path / "kb.txt", content)
    with pytest.raises(InputError, match=message) as error:
        KnowledgeBase.read(path)
    assert str(error.value).startswith(str(path))
    assert len(str(error.value)) < 400 and "\n" not in str(error.value)


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            KnowledgeBase.read(path)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ([], "without facts"),
        ([("a", "r")], "fact 1, .*is not a triple"),
        ([("a", "r", "b"), "abc"], "fact 2, \"'abc'\": is not a triple|fact 2, 'abc'"),
        ([("a", "r", 3)], "fact 1: 3 is not a text"),
        ([("a", " ", "b")], "fact 1: a name is empty"),
    ],
)
def test_triples_that_are_none(facts, message):
    with pytest.raises(InputError, match=message):
        KnowledgeBase.of_facts(facts)


def test_ids_of_facts_keep_their_order():
    base = KnowledgeBase.of_facts(FACTS)
    assert base.facts.dtype == numpy.int32
    names = [(base.entities[s], base.relations[r], base.entities[o]) for s, r, o in base.facts]
    assert names == FACTS


def test_iterating_yields_the_facts():
    base = KnowledgeBase.of_facts(FACTS)
    assert list(base) == FACTS
    kept = KnowledgeBase.of_facts(fact for fact in base if fact.object != "1944")
    assert len(kept) == 3 and "1944" not in kept


def test_a_base_takes_over_the_ids_of_another():
    first = KnowledgeBase.of_facts(FACTS)
    changed = [("New", "starring", "Marlene Dietrich"), ("Kismet", "likes", "New"), FACTS[0]]
    base = KnowledgeBase.of_facts(changed).aligned(first.entities, first.relations)
    assert base.entities == [*first.entities, "New"] and base.relations == first.relations
    assert set(base) == {changed[0], FACTS[0]}
    assert base.facts_about("1944") == []


def test_a_base_from_its_state():
    base = KnowledgeBase.of_facts([*FACTS, ("\ud800", "r\n\0", "é")], fold_case=True)
    arrays, metadata = base.state()
    same = KnowledgeBase.from_state("file", arrays, metadata)
    assert list(same) == list(base) and same.folding == base.folding
    assert (same.starts == base.starts).all() and same.find("KISMET") == 0
    wrong = arrays | {"base/facts": arrays["base/facts"] + 100}
    for damaged in (wrong, {name: arrays[name] for name in arrays if "facts" not in name}):
        with pytest.raises(InputError, match=r"^file: has no knowledge base"):
            KnowledgeBase.from_state("file", damaged, metadata)
