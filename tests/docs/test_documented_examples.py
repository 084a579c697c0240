"""The Python in README and docs runs and prints what it shows; so do the examples in docstrings."""

import ast
import doctest
import re
from importlib import import_module

import pytest
from helpers import ROOT
from run_examples import SYBIL, run_examples

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = {"kvnet": "kvnet", "gradcheck": "kvnet.gradcheck", "kernels": "kvnet.kernels"}
QUOTED = re.compile(r"<!-- source: (\S+) -->\n```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_run_and_print_what_is_shown(path):
    run_examples(path)


def test_the_walk_through_the_network_has_examples():
    examples = list(SYBIL.parse(ROOT / "docs/one_question.md").examples())
    assert len(examples) > 50


def quotations():
    return [
        pytest.param(name, code, id=f"{path.stem}: {name}")
        for path in DOCUMENTS
        for name, code in QUOTED.findall(path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(("name", "code"), quotations())
def test_quoted_functions_are_those_of_the_library(name, code):
    (quoted,) = functions(code)
    (own,) = [f for f in functions((ROOT / name).read_text("utf-8")) if f.name == quoted.name]
    assert isinstance(own.body.pop(0), ast.Expr)  # the docstring
    assert ast.unparse(quoted) == ast.unparse(own)


def functions(code):
    return [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]


def modules_with_examples():
    """Return the names of the modules that have ``>>>`` in a docstring."""
    return [
        ".".join([package, *path.relative_to(ROOT / folder).with_suffix("").parts])
        for folder, package in PACKAGES.items()
        for path in sorted((ROOT / folder).rglob("*.py"))
        if ">>> " in path.read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_docstring_examples(name):
    result = doctest.testmod(import_module(name))
    assert result.attempted
    assert not result.failed
