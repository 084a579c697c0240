"""What the chapters show: the parts of a page as HTML."""

import io
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files

import marimo
from matplotlib.figure import Figure

CHAPTERS = {
    "story": "Ask about a story",
    "training": "Watch a training",
    "operation": "Prove a gradient",
    "knowledge_base": "Ask a knowledge base",
}
"""The chapters by the name of their file, in the order of the navigation."""
STRONG = 0.6
"""The weight from which a cell is dark in the light theme, and bright in the dark one."""

IN_A_NOTEBOOK = (
    "In Jupyter the fields and buttons do not react: write another <code>value=</code> in the cell "
    "of a field, then run this cell and those below it."
)


def is_served() -> bool:
    """Return whether a browser shows the chapter, so that it can react to what is entered."""
    return marimo.app_meta().mode in ("run", "edit")


@cache
def _style():
    return files("kvnet.lab").joinpath("style.css").read_text("utf-8")


def block(*parts: str, live: bool = False) -> marimo.Html:
    """Return HTML as a block of the page.

    Parameters
    ----------
    *parts : str
        HTML.
    live : bool
        Whether a screen reader announces changes.
    """
    announced = ' aria-live="polite"' if live else ""
    return marimo.Html(f'<div class="kv"{announced}>{"".join(parts)}</div>')


def header(chapter: str, *paragraphs: str) -> marimo.Html:
    """Return the head of a chapter: navigation, title, introduction and the style of the page.

    Parameters
    ----------
    chapter : str
        A name of `CHAPTERS`.
    *paragraphs : str
        HTML.
    """
    links = [
        f'<a href="../{name}/"{" aria-current=page" if name == chapter else ""}>{title}</a>'
        for name, title in CHAPTERS.items()
    ]
    nav = f'<nav aria-label="Chapters">{"".join(links)}</nav>'
    if not is_served():
        nav, paragraphs = "", [*paragraphs, IN_A_NOTEBOOK]
    texts = "".join(f"<p>{text}</p>" for text in paragraphs)
    return block(f"<style>{_style()}</style>{nav}<h1>{CHAPTERS[chapter]}</h1>{texts}")


def problem(text: str) -> marimo.Html:
    """Return a sentence that says what cannot be done, and what to do."""
    return block(f'<p class="problem" role="alert">{escape(_sentence(str(text)))}</p>')


def note(text: str) -> marimo.Html:
    """Return a remark."""
    return block(f'<p class="muted">{escape(_sentence(text))}</p>')


def _sentence(text):
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


def weight_cell(weight: float) -> str:
    """Return a table cell whose colour shows a weight from 0 to 1."""
    strong = " strong" if weight >= STRONG else ""
    return f'<td class="weight{strong}" style="--w:{weight:.3f}">{weight:.2f}</td>'


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], classes: Sequence[str] = ()
) -> str:
    """Return a table. A row is a header and its cells, which are HTML with their ``td``.

    Parameters
    ----------
    caption : str
        Text.
    columns : sequence of str
        Text.
    rows : iterable of sequence of str
        HTML.
    classes : sequence of str
        A class per row.
    """
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in columns)
    body = ""
    for number, (first, *cells) in enumerate(rows):
        kind = f' class="{classes[number]}"' if classes and classes[number] else ""
        body += f'<tr{kind}><th scope="row">{first}</th>{"".join(cells)}</tr>'
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def figure(drawn: Figure, description: str) -> str:
    """Return a figure as an image of the page.

    Parameters
    ----------
    drawn : matplotlib.figure.Figure
    description : str
        What it shows, for those who do not see it.
    """
    svg = io.StringIO()
    drawn.savefig(svg, format="svg", transparent=True)
    image = svg.getvalue()
    image = image[image.index("<svg") :].replace(
        "<svg", f'<svg role="img" aria-label="{escape(description)}"', 1
    )
    return f"<figure tabindex=0>{image}</figure>"
