"""The site works without a network, and a page with a wrong gradient or number is not built."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest
from helpers import ROOT

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
CLOSED_PORT = "127.0.0.1:9"
WRONG_PAGE = """---
file_format: mystnb
kernelspec:
  name: python3
---

# A page with a wrong gradient and a wrong number

```{code-cell} ipython3
import numpy
from kvnet.gradcheck import check_gradients

check_gradients(lambda x: (x * x, lambda dy: dy * x), numpy.ones(3));
```

```pycon
>>> 1 + 1
3
```
"""


@pytest.fixture(scope="module")
def sphinx():
    """Return a function that builds a folder with the book's configuration."""
    if find_spec("sphinx") is None:
        pytest.skip("Sphinx is not installed: pip install -e '.[docs]'")

    def build(*arguments):
        command = [sys.executable, "-m", "sphinx", "-q", "-c", ROOT / "docs", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)

    return build


def test_a_wrong_gradient_or_number_fails_the_build(sphinx, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text(WRONG_PAGE, encoding="utf-8")
    built = sphinx("-W", "--keep-going", tmp_path, tmp_path / "site")
    assert built.returncode != 0
    assert "the gradient of x is wrong at" in built.stderr
    assert "an example fails" in built.stderr


@pytest.fixture(scope="module")
def page(sphinx, tmp_path_factory):
    """Return the file of a chapter; its cells do not run."""
    site = tmp_path_factory.mktemp("site")
    settings = {
        "include_patterns": "docs/index.md,docs/math/addressing.md",
        "nb_execution_mode": "off",
        "suppress_warnings": "toc,myst,ref,design",  # links to the pages that are not built
    }
    options = [f"-D{name}={value}" for name, value in settings.items()]
    built = sphinx(*options, ROOT, site)
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
