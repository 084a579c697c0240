"""What README, docs and results name exists: linked files and headings, files, Python names."""

import re
from importlib import import_module

import pytest
from helpers import ROOT

DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "results").glob("*.md")),
]
OF_EACH_DOCUMENT = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)
SOURCE_FOLDERS = ("kvnet", "kernels", "gradcheck", "benchmarks", "docs", "tests")


def text_of(path):
    """Return a document without its blocks of code."""
    return re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors_in(path):
    """Return the anchors that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@OF_EACH_DOCUMENT
def test_linked_files_and_headings_exist(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(path)):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors_in(target), link


@OF_EACH_DOCUMENT
def test_files_that_are_named_exist(path):
    sources = [ROOT / name for name in ("setup.py", "train_babi.py", "train_kb.py", "train_lm.py")]
    for folder in SOURCE_FOLDERS:
        sources += [s for s in (ROOT / folder).rglob("*") if s.suffix in (".py", ".cu")]
    known = [f"/{source.relative_to(ROOT).as_posix()}" for source in sources]
    for name in re.findall(r"`([\w/]+\.(?:py|cu))`", text_of(path)):
        if not re.search(r"NAME|NEW", name):  # placeholders
            assert any(source.endswith(f"/{name}") for source in known), name


@OF_EACH_DOCUMENT
def test_python_names_exist(path):
    for name in re.findall(r"`(kvnet(?:\.\w+)+)", text_of(path)):
        assert resolve(name), name


def resolve(name):
    """Return the module, or the attribute of a module, that a dotted name means."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[count:]:
            found = getattr(found, attribute, None)
        return found
    return None
