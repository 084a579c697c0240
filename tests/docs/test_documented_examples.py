"""The Python in README and docs runs and prints what it shows; so do the examples in docstrings."""

import ast
import doctest
import re
from importlib import import_module
from importlib.util import find_spec

import numpy
import pytest
from helpers import ROOT
from sybil import Sybil
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PACKAGES = {"kvnet": "kvnet", "gradcheck": "kvnet.gradcheck", "kernels": "kvnet.kernels"}
QUOTED = re.compile(r"<!-- source: (\S+) -->\n```python\n(.*?)```", re.DOTALL)


def parse_console(document):
    """Find the examples in ``pycon`` blocks: what is behind ``>>>``, and its output."""
    parse_examples = DocTestStringParser()
    for block in CodeBlockParser("pycon")(document):
        for example in parse_examples(block.parsed, document.path):
            example.adjust(block, block.parsed)
            yield example


SYBIL = Sybil(parsers=[PythonCodeBlockParser(), parse_console], path=str(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_examples_run_and_print_what_is_shown(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write a file
    with numpy.printoptions():  # and set how arrays are printed
        for example in SYBIL.parse(path).examples():
            if not needs_a_peer_that_is_missing(str(example.parsed)):
                example.evaluate()


def needs_a_peer_that_is_missing(source):
    """Return whether an example imports PyTorch or JAX where it is not installed."""
    needed = re.findall(r"^(?:import|from) (torch|jax)\b", source, re.MULTILINE)
    return any(find_spec(name) is None for name in needed)


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
