"""The laboratory without a browser: what its pages compute, its chapters, and its command."""

import importlib
import json
import re

import pytest

from kvnet import Example, FactAnswerer, InputError, MemN2NRecipe, QuestionAnswerer, TextContinuer
from kvnet.cli.training import CHECKPOINT
from kvnet.data.made_world import SENTENCES
from kvnet.data.simulator import generate
from kvnet.data.story import Question, Sentence
from kvnet.lab import checkpoint, command, edited_operation, facts, layouts, notebooks, stories
from kvnet.lab import watched_training as watched
from kvnet.lab.pages import CHAPTERS
from kvnet.training.recipes.language_model import LanguageModelRecipe

ADDRESS = edited_operation.source_of("address")
SMALL = MemN2NRecipe(hops=2, embedding_size=5, epochs=1, linear_start=0, evaluation_interval=1)


@pytest.fixture
def small(monkeypatch):
    """Trainings of one epoch, and nothing that was trained before."""
    monkeypatch.setattr(watched, "EPOCHS", 1)
    monkeypatch.setattr(stories, "RECIPE", SMALL)
    monkeypatch.setattr(stories, "_networks", {})


@pytest.fixture
def loaded(monkeypatch):
    """Return what the laboratory has loaded: nothing yet, and nothing afterwards."""
    monkeypatch.setenv(checkpoint.VARIABLE, "")
    monkeypatch.delenv(checkpoint.VARIABLE)
    return checkpoint


@pytest.fixture(scope="module")
def answerer():
    """A network that has seen two stories."""
    story = ["Mary went to the garden.", "John went to the office."]
    examples = [
        Example.of_story("Where is Mary?", story, "garden"),
        Example.of_story("Where is John?", story, "office"),
    ] * 20
    return QuestionAnswerer(SMALL, kernels="reference").fit(examples)


# Stories


@pytest.mark.parametrize("task", range(1, 21))
def test_the_answer_and_the_supporting_facts_are_those_of_the_simulator(task):
    story = generate(task, stories.ASKED_PER_STORY, 3, "laboratory")[0]
    drawn = stories.draw(task, 3)
    last = max(index for index, line in enumerate(story) if isinstance(line, Question))
    asked = story[last]
    sentences = [line.text for line in story[:last] if isinstance(line, Sentence)]
    assert drawn == ("\n".join(sentences), asked.text.strip())
    right, supporting = stories.solution(sentences, drawn.question)
    assert right == asked.answer
    assert {sentences[each] for each in supporting} == {
        story[line_id - 1].text for line_id in asked.supporting
    }


def test_other_sentences_have_no_supporting_facts():
    assert stories.solution(["Mary is a robot."], "Where is Mary?") == (None, frozenset())


def test_an_answer_is_laid_out_with_a_weight_per_hop_and_sentence(answerer):
    text = "Mary went to the garden\n\njohn went to the office."
    asked = stories.ask(answerer, text, "where is john?")
    assert asked.sentences == ["Mary went to the garden", "john went to the office."]
    assert (asked.right, asked.supporting) == ("office", {1})
    html = layouts.answer_html(asked)
    assert html.count('class="supporting"') == 1
    for position in (0, 1):
        for weight in asked.answer.attention[:, 1 - position]:
            assert f"{weight:.2f}</td>" in html


def test_text_is_shown_as_text(answerer):
    with pytest.raises(InputError, match="<b>"):
        stories.ask(answerer, "Mary <b>went</b>.", "Where is Mary?")
    asked = stories.ask(answerer, "Mary went to the garden.", "Where is Mary?")
    html = layouts.answer_html(asked._replace(sentences=["<script>alert(1)</script>"]))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_the_words_that_a_network_knows_are_listed(answerer):
    html = layouts.network_html("A <network>", answerer)
    assert "A &lt;network&gt;" in html
    assert "The 9 words that it knows" in html
    assert "garden, is, John, Mary, office, the, to, went, Where" in html


def test_a_long_story_says_what_is_not_read(answerer):
    many = "Mary went to the garden.\n" * (SMALL.memory_size + 3)
    html = layouts.answer_html(stories.ask(answerer, many, "Where is Mary?"))
    slots = answerer.sizes.memory_size
    unread = SMALL.memory_size + 3 - slots
    assert html.count(f"not read: the memory has {slots} slots") == unread


# Trainings


def test_a_training_in_parts_is_the_same_as_in_one_go(monkeypatch):
    monkeypatch.setattr(watched, "EPOCHS", 2)
    whole, parts = (
        watched.WatchedTraining(1, network, 2, 5, "7") for network in (watched.NETWORKS[1],) * 2
    )
    assert parts.state_text().endswith("not trained yet")
    whole.advance()
    advances = 0
    while not parts.finished:
        parts.advance(0.01)
        stories.ask(parts.answerer, *stories.draw(1, 0))
        advances += 1
    assert advances > 2
    assert parts.history == whole.history
    assert len(whole.curve().axes[0].lines[0].get_xdata()) == 2


@pytest.mark.parametrize("seed", ["", "-1", "1.5", "x", str(2**32), "9" * 5000])
def test_a_seed_that_is_not_valid(seed):
    with pytest.raises(InputError, match="write a whole number from 0"):
        watched.WatchedTraining(1, watched.NETWORKS[0], 1, 5, seed)


# Operations


def judged(old, new, name="address", **options):
    code = edited_operation.source_of(name)
    assert old in code
    return edited_operation.judge(name, code.replace(old, new), **options)


@pytest.mark.parametrize("name", ["address", "softmax", "embedding_sum"])
def test_the_code_of_the_library_is_correct(name):
    verdict = edited_operation.judge(name, edited_operation.source_of(name))
    assert verdict.is_correct, verdict.sentence
    assert verdict.errors["complex step"].min() < 1e-14
    assert "Correct" in layouts.verdict_html(verdict)


def test_the_formula_and_the_code_are_those_of_the_file():
    assert edited_operation.file_of("address") == "kvnet/operations/address.py"
    assert "``p_i = softmax_i(u · k_i)``" in edited_operation.formula_of("address")
    assert "References" not in edited_operation.formula_of("address")
    assert "<code>o = sum_i p_i v_i</code>" in layouts.formula_html("address")
    for name in edited_operation.names():
        code = edited_operation.source_of(name)
        assert code.startswith(f"def {name}(")
        assert '"""' not in code


def test_a_planted_bug_is_found_and_named():
    verdict = judged("d_values = p", "d_values = 0.9 * p")
    assert not verdict.is_correct
    assert verdict.sentence.startswith("the gradient of values is wrong at [")
    wrong = [each for each in verdict.inputs if each.fault]
    assert [each.name for each in wrong] == ["values"]
    assert wrong[0].analytic / wrong[0].numeric == pytest.approx(0.9)
    assert verdict.plotted == "values"
    assert verdict.errors["complex step"].min() == pytest.approx(1 / 9, rel=1e-6)
    html = layouts.verdict_html(verdict)
    assert '<span class="bad">Wrong</span>' in html
    assert "<svg role=" in html


def test_a_bug_that_only_masks_show_is_found():
    """The case with the largest sizes has no mask; the others decide."""
    verdict = judged("softmax(xp, scores, allowed)", "softmax(xp, scores)")
    assert verdict.is_correct  # forward and backward agree without a mask too
    verdict = judged(
        "return du, d_keys, d_values", "return du if allowed is None else 2 * du, d_keys, d_values"
    )
    assert verdict.sentence.startswith("the gradient of u is wrong at [")
    assert verdict.cases > 1


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("def backward(do):", "def backward(do:", "line 6, 'def backward(do:', is not Python: "),
        ("d_values = p", "d_values = q", "NameError: name 'q' is not defined"),
        ("return o, p, backward", "return o, p", "the function returns no backward pass"),
        ("return du, d_keys, d_values", "return du", "returns 1 gradient, but 3 gradients are"),
        ("def address(", "def other(", "the code does not define address; keep the name"),
        (
            "    def backward",
            "    import os; os._exit(1)\n    def backward",
            "the process that ran",
        ),
        (ADDRESS, "import os; os._exit(1)", "the process that ran the code ended"),
        (ADDRESS, "a\0b", "the code is not Python: source code string cannot contain null"),
        (ADDRESS, "(" * 10_000, "the code "),
    ],
)
def test_code_that_cannot_be_checked_is_said_in_a_sentence(old, new, sentence):
    verdict = judged(old, new)
    assert not verdict.is_correct
    assert sentence in verdict.sentence or verdict.sentence.startswith("line 1, '((((")
    assert "\n" not in verdict.sentence


def test_a_loop_without_end_is_stopped():
    verdict = judged("d_values = p", "while True: pass\n        d_values = p", time_limit=0.5)
    assert "did not end within 0.5 seconds" in verdict.sentence


def test_what_the_code_prints_is_shown():
    verdict = judged("d_values = p", "print('<here>')\n        d_values = p")
    assert verdict.is_correct
    assert "&lt;here&gt;" in layouts.verdict_html(verdict)
    verdict = judged("d_values = p", "print('x' * 5000)\n        d_values = p")
    assert verdict.printed == "x" * edited_operation.MOST_PRINTED + " [...]"


# Facts


@pytest.fixture(scope="module")
def world():
    return facts.network().answerer


def test_every_example_follows_its_chain(world):
    questions = facts.example_questions(world.base)
    assert set(questions) == set(facts.CHAINS)
    for chain, question in questions.items():
        answer = facts.ask(world, question, world.base)
        read = [hop[0].fact.relation for hop in answer.hops]
        assert read == [relation.lstrip("^") for relation in chain.split("/")], question
        assert all(name in layouts.facts_html(answer) for name in (answer.best, answer.entity))


def test_other_wordings_follow_the_chain(world):
    film = next(iter(world.base)).subject
    chain = "directed_by/born_in"
    for sentence in SENTENCES[chain]:
        answer = facts.ask(world, sentence.replace("[]", f"[{film}]"), world.base)
        assert [hop[0].fact.relation for hop in answer.hops] == chain.split("/"), sentence


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there are no facts; write one"),
        ("a | directed_by | b\na directed_by b", "line 2 of the facts, 'a directed_by b', is not"),
        ("a | directed_by | ", "is not a fact"),
        ("a | loves | b", "does not know the relation 'loves'; use one of directed_by, "),
    ],
)
def test_facts_that_cannot_be_read(world, text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        facts.base_of(text, world.base)


def test_facts_are_read_as_they_are_written(world):
    assert list(facts.base_of(facts.text_of(world.base), world.base)) == list(world.base)


# Chapters and notebooks


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapters_run_without_a_browser(small, name):
    chapter = importlib.import_module(f"kvnet.lab.chapters.{name}")
    outputs, _ = chapter.app.run()
    shown = "".join(each.text for each in outputs if each is not None)
    expected = {
        "story": "Attention of each hop",
        "training": "epoch 1 of 1",
        "operation": "Correct",
        "knowledge_base": "Hop 2",
    }
    assert expected[name] in shown
    assert 'role="alert"' not in shown


def test_notebooks_have_the_chapters_and_run_from_top_to_bottom(small, tmp_path, capsys):
    assert command.main(["--export-notebooks", str(tmp_path / "new/folder")]) == 0
    paths = [tmp_path / f"new/folder/{name}.ipynb" for name in CHAPTERS]
    assert capsys.readouterr().out.split() == list(map(str, paths))
    for path in paths:
        names = {}
        cells = json.loads(path.read_text("utf-8"))["cells"]
        for cell in cells:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
        assert "pages" in names
    before = paths[1].read_bytes()
    paths[0].unlink()
    assert command.main(["--export-notebooks", str(tmp_path / "new/folder")]) == 2
    assert f"{paths[1]} exists already; give another folder" in capsys.readouterr().err
    assert not paths[0].exists()
    assert paths[1].read_bytes() == before


def test_a_chapter_that_marimo_cannot_convert(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(notebooks, "CHAPTERS", {"missing": "Missing"})
    assert command.main(["--export-notebooks", str(tmp_path / "new")]) == 2
    assert "marimo cannot convert missing.py" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


# The command and its checkpoint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prot", "1"], "--prot is not a flag of this command; did you mean --port?"),
        (["--port", "65536"], "it takes a whole number from 0 to 65535"),
        (["--port", "x"], "it takes a whole number from 0 to 65535"),
        (["--checkpoint", ""], "the name is empty"),
        (["--checkpoint", "nowhere"], "--checkpoint: nowhere has no checkpoint.safetensors"),
        (
            ["--export-notebooks", "x", "--port", "1"],
            "--port has no effect with --export-notebooks",
        ),
    ],
)
def test_wrong_flags_are_one_line(arguments, message, capsys):
    try:
        code = command.main(["--no-browser", *arguments][arguments[0] == "--export-notebooks" :])
    except SystemExit as stop:
        code = stop.code
    output, errors = capsys.readouterr()
    assert (code, output) == (2, "")
    assert message in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("name", command.NEEDED)
def test_a_missing_library_names_the_extra(name, monkeypatch, capsys):
    monkeypatch.setattr(command, "find_spec", lambda module: None if module == name else object())
    assert command.main(["--no-browser"]) == 2
    line = f"kvnet-lab: error: the laboratory needs {name}; install it: pip install -e '.[lab]'\n"
    assert capsys.readouterr().err == line


def test_a_damaged_checkpoint_is_one_line(tmp_path, capsys):
    (tmp_path / CHECKPOINT).write_bytes(b"nothing")
    assert command.main(["--no-browser", "--checkpoint", str(tmp_path)]) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert str(tmp_path / CHECKPOINT) in errors


def test_a_checkpoint_that_answers_no_questions(tmp_path):
    recipe = LanguageModelRecipe(
        embedding_size=8, linear_size=4, hops=1, memory_size=4, batch_size=16, epochs=1
    )
    TextContinuer(recipe, kernels="reference").fit("the cat sat on the mat\n" * 100).save(
        tmp_path / CHECKPOINT
    )
    with pytest.raises(InputError, match="MemN2NLanguageModel, which answers no questions"):
        checkpoint.load(str(tmp_path))


def test_the_network_of_a_checkpoint_answers(answerer, tmp_path, loaded):
    answerer.save(tmp_path / CHECKPOINT)
    loaded.load(str(tmp_path))
    assert loaded.fact_answerer() is None
    assert stories.first_task(loaded.question_answerer()) is None  # it knows a few words only
    chapter = importlib.import_module("kvnet.lab.chapters.story")
    outputs, _ = chapter.app.run()
    shown = "".join(each.text for each in outputs if each is not None)
    assert "The network is that of the checkpoint." in shown
    assert 'role="alert"' in shown


def test_the_facts_of_a_checkpoint_are_asked(world, tmp_path, loaded):
    world.save(tmp_path / CHECKPOINT)
    loaded.load(str(tmp_path))
    assert loaded.question_answerer() is None
    assert isinstance(loaded.fact_answerer(), FactAnswerer)
    chapter = importlib.import_module("kvnet.lab.chapters.knowledge_base")
    outputs, _ = chapter.app.run()
    shown = "".join(each.text for each in outputs if each is not None)
    assert f"its {len(world.base):,} facts are those of the checkpoint" in shown
    assert "Hop 2" in shown
