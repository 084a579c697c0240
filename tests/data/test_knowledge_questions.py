"""Reading questions about a base, finding their entities, and messages about malformed lines."""

import numpy
import pytest

from kvnet import InputError
from kvnet.data.entity_finding import ask_about, find_asked, words_of_question
from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.knowledge_questions import NOT_IN_BASE, joined, questions_of_pairs, read_questions

BASE = KnowledgeBase.of_facts(
    [
        ("Kismet", "directed_by", "William Dieterle"),
        ("Paris, Texas", "directed_by", "Wim Wenders"),
        ("Paris", "directed_by", "Wim Wenders"),
        ("Texas", "directed_by", "Wim Wenders"),
        ("Alien", "directed_by", "Ridley Scott"),
        ("Alien 3", "directed_by", "David Fincher"),
        ("Who", "directed_by", "Ann Who"),
        ("[REC]", "directed_by", "Paco Plaza"),
        ("千と千尋", "directed_by", "宮崎駿"),
        ("10,000 BC", "directed_by", "Roland E."),
    ]
)


def read(tmp_path, text, **options):
    path = tmp_path / "qa.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_questions(path, BASE, **options)


def names(questions, q):
    return [BASE.entities[i] if i >= 0 else None for i in questions.answers_of(q)]


def test_metaqa_format(tmp_path):
    types = tmp_path / "types.txt"
    types.write_text("film_to_director\ndirector_to_film\n")
    text = "who directed [Kismet]?\tWilliam Dieterle\nWhat did [Wim Wenders] direct\tParis|Texas\n"
    questions = read(tmp_path, text, hops=1, types=types)
    assert questions.texts == [("who", "directed", "[]"), ("what", "did", "[]", "direct")]
    assert [BASE.entities[i] for i in questions.entities] == ["Kismet", "Wim Wenders"]
    assert names(questions, 0) == ["William Dieterle"] and names(questions, 1) == ["Paris", "Texas"]
    assert questions.types == ["film_to_director", "director_to_film"]
    assert questions.hops.tolist() == [1, 1]


def test_wikimovies_format_and_its_commas(tmp_path):
    text = (
        "1 what did Wim Wenders direct?\tParis, Texas, Alien\n"
        "1 what did Roland E. direct?\t10,000 BC\n"
        "1 who directed Kismet?\tWilliam Dieterle, Jr., Nobody\n"
    )
    said = []
    questions = read(tmp_path, text, say=said.append)
    assert questions.texts[0] == ("what", "did", "[]", "direct")
    assert names(questions, 0) == ["Paris, Texas", "Alien"]  # rather than Paris and Texas
    assert names(questions, 1) == ["10,000 BC"]
    assert names(questions, 2) == ["William Dieterle", None, None]
    assert "qa.txt, line 1: the answers can be split at their commas in several ways" in said[0]
    assert "1 of 3 questions; the longest names are taken: Paris, Texas | Alien" in said[0]
    assert "qa.txt, line 3: the answer 'Jr.' is not an entity of the base" in said[1]
    assert "2 of 6 answers are not; they are kept and count as not found" in said[1]


def test_unknown_answers_can_be_refused(tmp_path):
    text = "who directed [Kismet]\tWilliam Dieterle\nwho directed [Alien]\tRidley Scott|Ridly\n"
    with pytest.raises(InputError, match=r"qa.txt, line 2: the answer 'Ridly' .* 1 of 3"):
        read(tmp_path, text, unknown_answers="refuse")
    with pytest.warns(UserWarning, match="line 2"):
        questions = read(tmp_path, text)
    assert questions.answers[-1] == NOT_IN_BASE


def test_repeated_answers_are_said_and_kept_once(tmp_path):
    text = "who made [Paris]\tTexas\nwho made [Alien]\tParis|x|Texas|Paris|x\n"
    said = []
    questions = read(tmp_path, text, say=said.append)
    assert names(questions, 0) == ["Texas"]
    assert names(questions, 1) == ["Paris", None, "Texas", None]
    assert "line 2: the answer 'Paris' is repeated; 1 of 6 answers are, and are kept" in said[1]


def test_questions_without_a_known_entity_can_be_kept(tmp_path):
    text = "who directed [Kismet]\tWilliam Dieterle\nwho directed [Nothing]\tWim Wenders\n"
    with pytest.raises(InputError, match=r"qa.txt, line 2: 'Nothing' is not an entity"):
        read(tmp_path, text)
    said = []
    questions = read(tmp_path, text, unknown_entities="keep", say=said.append)
    assert questions.entities.tolist() == [BASE.find("Kismet"), NOT_IN_BASE]
    assert "line 2: 'who directed [Nothing]' names no entity of the base; 1 of 2" in said[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("who directed [Kismet]\n", "line 1: 'who directed .Kismet.' has no tab; write 'question"),
        ("who directed [Kismet]\t \n", "line 1: .* has an empty field"),
        ("who directed [Kismet]\ta\tb\n", "line 1: .* has 3 fields"),
        ("who directed [Kismet]\tParis||Texas\n", "line 1: .* has an empty answer"),
        ("1 who directed Kismet?\tParis, , Texas\n", "line 1: .* has an empty answer"),
        ("1 who directed Kismet?\n", "line 1: .* write '1 question"),
        ("who directed []\tParis\n", "line 1: .*the brackets are empty"),
        ("are [Kismet] and [Alien] good\tParis\n", "line 1: .*several brackets"),
        ("who directed [Kismat]\tParis\n", "line 1: 'Kismat' is not .*did you mean 'Kismet'"),
        ("x y z\tParis\n", "line 1: 'x y z' names no entity"),
        ("", "the file is empty"),
        (b"who directed [\xff]\ta\n", "line 1: byte 0xff is not UTF-8"),
        ("who\0\ta\n", "line 1: contains a zero byte"),
        ("who directed " + "x" * 10_000_000 + "\ta\n", "line 1: .* has 10,000,013 characters"),
    ],
)
def test_a_malformed_file_error(tmp_path, content, message):
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path, content)
    assert len(str(error.value)) < 400 and "\n" not in str(error.value)


def test_types_must_fit(tmp_path):
    types = tmp_path / "types.txt"
    types.write_text("a\nb\n")
    with pytest.raises(InputError, match=r"types.txt: has 2 types for the 1 questions of qa.txt"):
        read(tmp_path, "who directed [Kismet]\tParis\n", types=types)


def test_selecting_and_joining(tmp_path):
    text = "who directed [Kismet]\tParis|Texas\nwho made [Alien]\tParis\nwho made [Paris]\tTexas\n"
    questions = read(tmp_path, text)
    part = questions.select(numpy.array([2, 0]))
    assert names(part, 0) == ["Texas"] and names(part, 1) == ["Paris", "Texas"]
    both = joined([part, questions])
    assert len(both.entities) == 5 and len(both.texts) == 2
    for q, original in enumerate([2, 0, 0, 1, 2]):
        assert names(both, q) == names(questions, original)
        text = questions.texts[questions.text_rows[original]]
        assert both.texts[both.text_rows[q]] == text
    assert (
        questions.fingerprint
        != part.fingerprint
        == questions.select(numpy.array([2, 0])).fingerprint
    )


@pytest.mark.parametrize(
    ("text", "entity", "words"),
    [
        ("who directed Kismet?", "Kismet", "who directed []"),
        ("Who directed 'Alien 3', really", "Alien 3", "who directed [] really"),
        ("is Alien 3x by the maker of Alien?", "Alien", "is [] 3x by the maker of alien"),
        ("what about Paris, Texas", "Paris, Texas", "what about []"),
        ("who directed [[REC]]", "[REC]", "who directed []"),
        ("who directed [ Kismet ]", "Kismet", "who directed []"),
        ("千と千尋は誰が監督した", "千と千尋", "[] は誰が監督した"),
    ],
)
def test_the_longest_name_is_the_entity(text, entity, words):
    asked = find_asked(text, BASE)
    assert BASE.entities[asked.entity] == entity
    assert " ".join(words_of_question(asked.text)) == words
    assert asked.others == ()


def test_names_as_long_as_each_other_are_ambiguous():
    asked = find_asked("are Paris and Alien and Texas good", BASE)
    assert BASE.entities[asked.entity] == "Paris"
    assert [BASE.entities[i] for i in asked.others] == ["Alien", "Texas"]


def test_a_name_of_question_words_counts_last():
    question_words = {"who", "Who", "directed", "[]"}
    assert (
        BASE.entities[find_asked("Who directed Ann Who", BASE, question_words).entity] == "Ann Who"
    )
    assert BASE.entities[find_asked("Who directed", BASE, question_words).entity] == "Who"
    assert find_asked("Who directed Kismit", BASE, question_words, all_words=True) is None
    with pytest.raises(InputError, match=r"^'Kismit' in 'Who directed Kismit' .*mean 'Kismet'"):
        ask_about("Who directed Kismit", BASE, None, question_words, all_words=True)


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_brackets_are_not_needed_in_metaqa(metaqa, film_base, hops):
    dev, test = (metaqa / f"{hops}-hop/qa_{split}.txt" for split in ("dev", "test"))
    words = {word for text in read_questions(dev, film_base).texts for word in text}
    expected = read_questions(test, film_base, say=lambda text: None)
    lines = test.read_text(encoding="utf-8").split("\n")[:-1]
    found = [
        find_asked(
            line.partition("\t")[0].replace("[", "").replace("]", ""), film_base, words, True
        ).entity
        for line in lines[::10]
    ]
    assert numpy.mean(found == expected.entities[::10]) > 0.999


def test_wikimovies_and_metaqa_have_the_same_questions(metaqa, film_base):
    """All but the few that MetaQA has dropped or changed."""
    ours = read_questions(
        metaqa / "wikimovies/wiki-entities_qa_test.txt",
        film_base,
        unknown_entities="keep",
        say=lambda text: None,
    )
    theirs = read_questions(metaqa / "1-hop/qa_test.txt", film_base, say=lambda text: None)

    def pairs(questions):
        texts = [questions.texts[row] for row in questions.text_rows]
        return {
            (text, int(entity), tuple(sorted(questions.answers_of(q).tolist())))
            for q, (text, entity) in enumerate(zip(texts, questions.entities, strict=True))
        }

    assert len(ours.entities) == 9952
    assert len(pairs(theirs) - pairs(ours)) < 40


def test_questions_from_python():
    questions = questions_of_pairs(
        [("who directed [Alien]", "Ridley Scott"), ("films of Wim Wenders?", ["Paris", "Texas"])],
        BASE,
    )
    assert names(questions, 0) == ["Ridley Scott"] and names(questions, 1) == ["Paris", "Texas"]
    assert questions.texts == [("who", "directed", "[]"), ("films", "of", "[]")]
    assert questions.types is None and questions.hops.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "no questions"),
        (["who"], "question 1: 'who' is not a question with answers"),
        ([("who directed [Alien]", [])], "question 1: .* has no answer"),
        ([("who directed [Alien]", [3])], "question 1: 3 is not a text"),
        ([("who directed [Alien]", "Ridley Scott"), ("x", "y")], "question 2: 'x' names no entity"),
    ],
)
def test_pairs_that_are_none(pairs, message):
    with pytest.raises(InputError, match=message):
        questions_of_pairs(pairs, BASE)
