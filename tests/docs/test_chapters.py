"""Every operation, update and model has a chapter, with its code, its proof and all its parts."""

import inspect
import re

import pytest
from helpers import ROOT

from kvnet.gradcheck.checked_operations import CONSTANTS
from kvnet.models import KINDS
from kvnet.operations import Operations
from kvnet.updates import Updates

CHAPTERS = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs/math").glob("*.md"))
    if path.stem != "index"
}
LISTING = re.compile(r"```\{literalinclude\} (\S+)\n:pyobject: (\S+)\n(?::dedent: 4\n)?```")
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PARTS = ("Forward", "Backward", "Proof", "Figure", "Exercise")
OTHER_PARTS = {
    "update": ("Forward", "Derivations", "Proof", "Figure", "Exercise"),
    "proof": ("Finite differences", "The complex step", "Figure", "Exercise"),
}


def names_of(kind):
    """Return the names of the functions that a class of operations or updates has."""
    return [name for name, value in vars(kind).items() if isinstance(value, staticmethod)]


def listings():
    """Return the file and the name of each listing of the chapters."""
    return {
        (str((ROOT / "docs/math" / path).resolve()), name)
        for text in CHAPTERS.values()
        for path, name in LISTING.findall(text)
    }


def cells():
    """Return the code of all cells."""
    return "\n".join(code for text in CHAPTERS.values() for code in CELL.findall(text))


@pytest.mark.parametrize("name", names_of(Operations))
def test_every_operation_is_listed_from_its_source(name):
    assert (inspect.getsourcefile(getattr(Operations, name)), name) in listings()


@pytest.mark.parametrize("name", names_of(Updates))
def test_every_update_is_listed_from_its_source(name):
    assert (inspect.getsourcefile(getattr(Updates, name)), name) in listings()


@pytest.mark.parametrize("name", KINDS)
def test_every_model_is_listed_from_its_source_and_proven(name):
    kind = KINDS[name]
    listing = inspect.getsourcefile(kind), f"{kind.__name__}.loss_and_gradient"
    assert listing in listings()
    assert re.search(rf"= {kind.__name__}\(.*?loss_at\(model", cells(), re.DOTALL)


@pytest.mark.parametrize("name", sorted(set(names_of(Operations)) - set(CONSTANTS)))
def test_every_gradient_is_proven_in_a_cell(name):
    checked = rf"check_gradients\(partial\(ops\.{name}, xp\)"
    if not re.search(checked, cells()):  # a function with plain arrays wraps it
        wrapped = rf"def (\w+)\([^)]*\):\n(?:    .*\n|\n)*?    .*ops\.{name}\("
        functions = re.findall(wrapped, cells())
        assert any(f"check_gradients({function}," in cells() for function in functions)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_has_all_its_parts(chapter):
    text = CHAPTERS[chapter]
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    for part in OTHER_PARTS.get(chapter, PARTS):
        assert any(heading.startswith(part) for heading in headings), part
    answer = text[text.index("\n## Exercise") :]
    assert "```{dropdown} Answer\n" in answer
    assert "check_gradients(" in text


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_figure_has_a_text_for_those_who_cannot_see_it(chapter):
    drawing = [
        code
        for code in CELL.findall(CHAPTERS[chapter])
        if re.search(r"plt\.subplots|_figure\(", code)
    ]
    assert drawing
    assert all(re.search(r"^    alt: \S", code, re.MULTILINE) for code in drawing)
