"""The laboratory in a browser: what is entered, and what the page then shows."""

import re

import pytest

from kvnet.lab.pages import CHAPTERS

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
FRAME = {"button-name": "the menu of marimo"}
"""Violations of marimo's own frame, by rule."""
READY = {
    "story": "Attention of each hop",
    "training": "Attention of each hop",
    "operation": "Error against step size",
    "knowledge_base": "Hop 1",
}


@pytest.fixture(scope="module")
def chapter(context, laboratory):
    """Return a function that opens a chapter, once."""
    pages = {}

    def open_chapter(name):
        if name not in pages:
            first = name == "story"  # which the printed address opens
            pages[name] = context.pages[0] if first else context.new_page()
            if not first:
                pages[name].goto(f"{laboratory.root}/{name}/")
            pages[name].get_by_text(READY[name]).first.wait_for()
        return pages[name]

    return open_chapter


def see(page, text):
    """Wait until the page shows a text, a string or a pattern."""
    page.get_by_text(text).first.wait_for()


def test_a_story_is_edited_and_a_question_asked(chapter, laboratory):
    page = chapter("story")
    assert page.url == f"{laboratory.root}/story/"  # without the token
    story = "Mary went to the kitchen.\nJohn went to the garden.\nMary moved to the office."
    page.get_by_label("Story, a sentence per line").fill(story)
    page.get_by_role("textbox", name="Question").fill("Where is Mary?")
    see(page, re.compile(r"^Answer: office \(probability [01]\.\d{3}\)$"))
    see(page, "by the rules of the simulated world the answer is office")
    heat_map = page.get_by_role("table", name="Attention of each hop")
    assert heat_map.get_by_role("columnheader").all_inner_texts()[1:] == ["hop 1", "hop 2", "hop 3"]
    supporting = heat_map.locator("tr.supporting")
    assert supporting.locator("th").all_inner_texts() == [
        "3 Mary moved to the office. supporting fact"
    ]
    weights = [float(w) for w in heat_map.locator("td").all_inner_texts()]
    assert len(weights) == 9
    assert all(sum(weights[hop::3]) == pytest.approx(1, abs=0.03) for hop in range(3))
    page.get_by_role("textbox", name="Question").fill("Where is John?")
    see(page, re.compile("^Answer: garden"))


@pytest.mark.parametrize(
    ("story", "question", "sentence"),
    [
        ("", "Where is Mary?", "The story is empty"),
        ("Mary went to the office.", "", "There is no question"),
        ("Mary went to the office.", "Where is Zaphod?", "zaphod"),
        ("Mary went to the volcano.", "Where is Mary?", "Line 1 of the story: "),
        ("Where is Mary?", "Where is Mary?", "is a question; write it in the field"),
    ],
)
def test_what_a_network_cannot_read_is_said_in_a_sentence(chapter, story, question, sentence):
    page = chapter("story")
    page.get_by_label("Story, a sentence per line").fill(story)
    page.get_by_role("textbox", name="Question").fill(question)
    see(page.get_by_role("alert"), sentence)
    assert "Traceback" not in page.content()


def test_a_training_grows_pauses_and_answers_in_between(chapter):
    page = chapter("training")
    see(page, "epoch 0 of 40: not trained yet")
    page.get_by_label("Hops").select_option("2")
    page.get_by_role("columnheader", name="hop 3").wait_for(state="detached")
    page.get_by_label("Seed").fill("one")
    see(page.get_by_role("alert"), "The seed is 'one'; write a whole number")
    page.get_by_label("Seed").fill("1")
    see(page, "epoch 0 of 40: not trained yet")
    train = page.get_by_role("switch", name="Train")
    train.click()
    first = points_of_the_curve(page, 0)
    assert points_of_the_curve(page, first) > first
    train.click()
    see(page, re.compile(r"epoch \d+ of 40: .*, paused$"))
    state = page.locator("p.state").inner_text()
    page.wait_for_timeout(800)
    assert page.locator("p.state").inner_text() == state
    page.get_by_role("textbox", name="Question").fill("Where is Sandra?")
    see(page, re.compile("^Answer: "))
    assert page.locator("p.state").inner_text() == state
    page.get_by_role("button", name="Start again").click()
    see(page, "epoch 0 of 40: not trained yet")


def points_of_the_curve(page, more_than):
    """Wait until the curve of the loss has more than some points; return their number."""
    curve = page.get_by_role("img", name=re.compile("^Loss and accuracy, epoch"))
    curve.locator("#loss path").wait_for(state="attached")
    points = "document.querySelector('#loss path').getAttribute('d').split('L').length"
    page.wait_for_function(f"{points} > {more_than}")
    return page.evaluate(points)


def test_a_planted_bug_is_named_and_its_repair_is_seen(chapter):
    page = chapter("operation")
    code = page.get_by_label("Code of the operation")
    right = code.input_value()
    see(page, "Every gradient is correct")
    assert "d_keys = d_scores" in right
    code.fill(right.replace("d_keys = d_scores", "d_keys = 1.5 * d_scores"))
    see(page, re.compile(r"The gradient of keys is wrong at \[\d, \d, \d\]: analytic"))
    see(page, "Error against step size, along keys")
    assert page.locator("h2 .bad").inner_text() == "Wrong"
    assert page.locator("tr", has_text="wrong").locator("th").all_inner_texts() == ["keys"]
    code.fill(right)
    see(page, "Every gradient is correct")
    assert page.locator("h2 .good").inner_text() == "Correct"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("def backward(do):", "def backward(do:", re.compile("^Line 6, .* is not Python: ")),
        ("d_values = p", "d_values = q", re.compile("^Line 7, .*: NameError: name 'q'")),
    ],
)
def test_code_that_does_not_run_is_said_in_a_sentence(chapter, old, new, sentence):
    page = chapter("operation")
    code = page.get_by_label("Code of the operation")
    right = code.input_value()
    code.fill(right.replace(old, new))
    see(page, sentence)
    assert "Traceback" not in page.content()
    page.get_by_role("button", name="Put the original code back").click()
    see(page, "Every gradient is correct")
    assert code.input_value() == right


def test_a_knowledge_base_shows_its_facts_and_follows_an_edited_one(chapter):
    page = chapter("knowledge_base")
    page.get_by_label("Example by chain").select_option(label="written_by/^written_by/released_in")
    page.get_by_role("table", name="Hop 3").wait_for()
    relations = [
        page.get_by_role("table", name=f"Hop {hop}").locator("tbody td").first.inner_text()
        for hop in (1, 2, 3)
    ]
    assert relations == ["written_by", "written_by", "released_in"]
    page.get_by_label("Example by chain").select_option(label="directed_by/born_in")
    page.get_by_role("table", name="Hop 3").wait_for(state="detached")
    second = page.get_by_role("table", name="Hop 2").locator("tbody tr").first
    person, town = (second.locator("th, td").nth(column).inner_text() for column in (0, 2))
    see(page, f"Answer: {town}")
    facts = page.get_by_label("Facts, subject")
    facts.fill(
        facts.input_value().replace(
            f"{person} | born_in | {town}", f"{person} | born_in | Atlantis"
        )
    )
    see(page, "Answer: Atlantis")
    page.get_by_role("textbox", name="Question").fill("who directed [Nothing Like This]?")
    see(page.get_by_role("alert"), "Nothing Like This")
    page.get_by_role("textbox", name="Question").fill("")
    see(page.get_by_role("alert"), "There is no question")
    facts.fill("a fact")
    see(page.get_by_role("alert"), "is not a fact; write subject | relation | object")


def test_the_keyboard_alone_suffices(chapter):
    page = chapter("story")
    page.get_by_role("link", name="Watch a training").focus()
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "() => { let e = document.activeElement;"
            " while (e.shadowRoot && e.shadowRoot.activeElement) e = e.shadowRoot.activeElement;"
            " return e.tagName + ' ' + (e.textContent || '').slice(0, 20); }"
        )
        reached.append(focused)
        if focused.startswith("TEXTAREA"):
            page.keyboard.press("Control+a")
            page.keyboard.type("Mary went to the bedroom.")
        if focused.startswith("INPUT"):
            page.keyboard.press("Control+a")
            page.keyboard.type("Where is Mary?")
            break
    assert [r for r in reached if r.startswith("BUTTON Another story")], reached
    assert reached[-1].startswith("INPUT"), reached
    see(page, re.compile("^Answer: bedroom"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", CHAPTERS)
def test_pages_meet_wcag_aa(chapter, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    page = chapter(name)
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"document.body.classList.contains('{scheme}')")
    options = {"runOnly": {"type": "tag", "values": WCAG}}
    found = axe.Axe().run(page, options=options).response
    violations = {each["id"]: each["nodes"] for each in found["violations"]}
    assert violations.keys() <= FRAME.keys(), violations
    assert len(violations.get("button-name", [])) <= 1
    assert "color-contrast" in {each["id"] for each in found["passes"]}
