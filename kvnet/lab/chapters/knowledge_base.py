# /// script
# [tool.marimo.display]
# theme = "system"
# [tool.marimo.runtime]
# on_cell_change = "autorun"
# ///
"""A question about a base of facts, and the facts that each hop reads."""

import marimo

app = marimo.App(width="medium", app_title="Ask a knowledge base · kvnet laboratory")


@app.cell
def _():
    import marimo as mo

    from kvnet import InputError
    from kvnet.lab import checkpoint, facts, layouts, pages

    return InputError, checkpoint, facts, layouts, mo, pages


@app.cell
def _(pages):
    pages.header(
        "knowledge_base",
        "A key-value memory network finds the facts about the entity that the question names, and "
        "follows them: each hop starts at the entities that the hop before has found. It answers "
        "from the facts, not from its weights: change a fact below, and the answer changes without "
        "any training.",
    )
    return


@app.cell
def _(checkpoint, facts, mo, pages):
    answerer = checkpoint.fact_answerer()
    if answerer:
        _text = f"The network and its {len(answerer.base):,} facts are those of the checkpoint."
    else:
        with mo.status.spinner("Training a network on an invented world: a few seconds"):
            _trained = facts.network()
        answerer = _trained.answerer
        _text = (
            f"A Key-Value Memory Network, trained here on questions about {len(answerer.base):,} "
            f"invented facts in {_trained.seconds:.1f} s. The first answer is right for "
            f"{_trained.hits:.1%} of the questions that were held out."
        )
    pages.note(_text)
    return (answerer,)


@app.cell
def _(answerer, facts, mo):
    _questions = facts.example_questions(answerer.base)
    example = mo.ui.dropdown(
        _questions,
        value="directed_by/born_in" if "directed_by/born_in" in _questions else None,
        label="Example by chain of relations",
    )
    example if _questions else None
    return (example,)


@app.cell
def _(answerer, example, facts, mo):
    question = mo.ui.text(
        value=example.value or "",
        label="Question; the name of the entity may be in [brackets]",
        debounce=300,
        full_width=True,
    )
    editable = len(answerer.base) <= facts.MOST_EDITED
    question
    return editable, question


@app.cell
def _(answerer, editable, facts, mo):
    edited = mo.ui.text_area(
        value=facts.text_of(answerer.base) if editable else "",
        label="Facts, subject | relation | object",
        rows=12,
        debounce=300,
        full_width=True,
    )
    return (edited,)


@app.cell
def _(InputError, answerer, editable, edited, facts, layouts, pages, question):
    try:
        _base = facts.base_of(edited.value, answerer.base) if editable else answerer.base
        _shown = pages.block(
            layouts.facts_html(facts.ask(answerer, question.value, _base)), live=True
        )
    except InputError as _error:
        _shown = pages.problem(str(_error))
    _shown
    return


@app.cell
def _(editable, edited, facts, pages):
    edited if editable else pages.note(
        f"The base has more than {facts.MOST_EDITED:,} facts; they are not shown for editing."
    )
    return


if __name__ == "__main__":
    app.run()
