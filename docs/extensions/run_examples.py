"""Run the ``pycon`` and ``python`` examples of a page, those of a console session included.

The tests run the examples of all documents with `SYBIL`. A build runs those of the pages in
``docs/``, so that none shows a number that its code does not print. It leaves out the README's,
which compile the fused kernels.
"""

import io
import os
import re
import tempfile
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import numpy
from sybil import Sybil
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).parents[2]


def parse_console(document):
    """Find the examples in ``pycon`` blocks: what is behind ``>>>``, and its output."""
    parse_examples = DocTestStringParser()
    for block in CodeBlockParser("pycon")(document):
        for example in parse_examples(block.parsed, document.path):
            example.adjust(block, block.parsed)
            yield example


SYBIL = Sybil(parsers=[PythonCodeBlockParser(), parse_console], path=str(ROOT))


def run_examples(path: Path) -> int:
    """Run the examples of a document in an empty folder; return their number.

    Raises
    ------
    AssertionError
        If one prints something else than the document shows.
    """
    examples = list(SYBIL.parse(path).examples())
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, numpy.printoptions():
        os.chdir(folder)  # an example may write a file
        try:
            with redirect_stdout(io.StringIO()):
                for example in examples:
                    if not needs_a_peer_that_is_missing(str(example.parsed)):
                        example.evaluate()
        finally:
            os.chdir(before)
    return len(examples)


def needs_a_peer_that_is_missing(source: str) -> bool:
    """Return whether an example imports PyTorch or JAX where it is not installed."""
    needed = re.findall(r"^(?:import|from) (torch|jax)\b", source, re.MULTILINE)
    return any(find_spec(name) is None for name in needed)


def run_examples_of_page(app, docname, _source):
    """Run the examples of a page of ``docs/`` that is about to be read."""
    from sphinx.util.logging import getLogger  # the tests, which use the rest, need no Sphinx

    if not docname.startswith("docs/"):
        return
    try:
        run_examples(Path(app.env.doc2path(docname)))
    except Exception as error:
        getLogger(__name__).warning("an example fails: %s", error, location=docname)


def setup(app):
    """Register with Sphinx."""
    app.connect("source-read", run_examples_of_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
