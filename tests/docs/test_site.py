"""The site works without a network: a page is built as the book is, and opened in a browser."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest
from helpers import ROOT

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
CLOSED_PORT = "127.0.0.1:9"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return the file of a chapter, built with the book's configuration; its cells do not run."""
    if find_spec("sphinx") is None:
        pytest.skip("Sphinx is not installed: pip install -e '.[docs]'")
    site = tmp_path_factory.mktemp("site")
    settings = {
        "include_patterns": "docs/index.md,docs/math/addressing.md",
        "nb_execution_mode": "off",
        "suppress_warnings": "toc,myst,ref,design",  # links to the pages that are not built
    }
    options = [f"-D{name}={value}" for name, value in settings.items()]
    command = [sys.executable, "-m", "sphinx", "-q", "-c", "docs", *options, ".", str(site)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    return site / "docs/math/addressing.html"


def test_a_page_loads_nothing_from_a_network(page):
    html = page.read_text(encoding="utf-8")
    loading = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", html)
    assert any("mathjax" in tag for tag in loading)
    assert not [tag for tag in loading if re.search(r"""(?:src|href)=["'](?:https?:)?//""", tag)]
    for style in (page.parents[2] / "_static").rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(?:https?:)?//", style.read_text("utf-8")), style


def test_formulas_are_typeset_with_the_network_blocked(page, tmp_path):
    if BROWSER is None:
        pytest.skip("no chromium to open a page with: apt-get install chromium")
    command = [
        BROWSER,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        f"--proxy-server={CLOSED_PORT}",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--virtual-time-budget=10000",
        "--dump-dom",
        page.as_uri(),
    ]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    written = page.read_text(encoding="utf-8")
    formulas = len(re.findall(r'class="math notranslate', written))
    assert formulas > 20
    assert len(re.findall(r"<mjx-container\b", shown)) >= formulas
    assert "<mjx-merror" not in shown
