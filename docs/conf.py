"""The book: how Sphinx builds the site from ``docs/``, ``results/`` and the README.

The source folder is the repository, so that a link in a document means the same file on the site
and in a checkout: ``python -m sphinx -q -W --keep-going -j auto -c docs . build/site``.
"""

import os
import sys
from pathlib import Path

from kvnet.version import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))
# For the kernels that run the pages' cells: `drawings`, and a fixed number of threads.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.getenv("PYTHONPATH"), str(HERE)]))
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

project = "kvnet"
author = "the kvnet developers"
copyright = "the kvnet developers, MIT licence"
release = version = __version__
language = "en_GB"

root_doc = "docs/index"
include_patterns = ["README.md", "CHANGELOG.md", "docs/**.md", "results/*.md"]
exclude_patterns = ["build", "**/.*"]
templates_path = ["templates"]
nitpicky = True

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_design",
    "sphinx-mathjax-offline",
    "run_examples",
]

# Pages. Anchors of headings are those of GitHub.
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4

# Cells run each time that a page is read, in a process of its own. An error is a warning with the
# traceback of the cell, which fails a build with -W.
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
nb_execution_show_tb = True

# Formulas: MathJax comes from the package sphinx-mathjax-offline, not from a network.
mathjax3_config = {
    "tex": {
        "macros": {
            "g": [r"\overline{#1}", 1],  # the gradient of the loss with respect to #1
            "inner": [r"\left\langle #1,\, #2 \right\rangle", 2],
            "softmax": r"\operatorname{softmax}",
            "relu": r"\operatorname{relu}",
            "T": r"^{\mathsf T}",
        }
    },
}

# Reference.
default_role = "py:obj"
nitpick_ignore_regex = [
    ("py:obj", ".*"),  # one backquote also marks arguments and attributes
    ("py:class", ".*"),  # base classes of the standard library
    ("myst", r"\w+/"),  # folders of the repository are no pages
]
autodoc_typehints = "none"  # numpydoc's sections have the types, with shapes
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# Site.
html_theme = "pydata_sphinx_theme"
html_title = "kvnet"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_additional_pages = {"index": "to_the_book.html"}
html_show_sourcelink = False
html_sidebars = {name: [] for name in ("docs/index", "docs/start", "docs/design")}
html_copy_source = False
html_domain_indices = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_nav_level": 1,
    "navigation_with_keys": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_context = {"default_mode": "auto"}


def setup(app):
    """Register with Sphinx."""
    app.connect("autodoc-skip-member", skip_fields)
    # It does not say so, but all it does is to copy files after the build. Allows `-j`.
    app.extensions["sphinx-mathjax-offline"].parallel_read_safe = True


def skip_fields(app, what, name, member, skip, options):
    """Skip the fields of a NamedTuple, which the section Attributes of its docstring describes."""
    return True if (member.__doc__ or "").startswith("Alias for field number") else None
