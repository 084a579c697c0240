# /// script
# [tool.marimo.display]
# theme = "system"
# [tool.marimo.runtime]
# on_cell_change = "autorun"
# ///
"""A story, a question, and where each hop of the network reads."""

import marimo

app = marimo.App(width="medium", app_title="Ask about a story · kvnet laboratory")


@app.cell
def _():
    import marimo as mo

    from kvnet import InputError
    from kvnet.lab import checkpoint, layouts, pages, stories

    return InputError, checkpoint, layouts, mo, pages, stories


@app.cell
def _(pages):
    pages.header(
        "story",
        "A memory network reads a story, then a question. In each hop it attends to the sentences "
        "that match what it looks for, and what it has read there changes what it looks for next. "
        "Change a sentence or the question: the answer and the attention follow at once.",
    )
    return


@app.cell
def _(checkpoint, mo, stories):
    loaded = checkpoint.question_answerer()
    _names = stories.task_names()
    _first = (loaded and stories.first_task(loaded)) or 1
    task = mo.ui.dropdown(_names, value=list(_names)[_first - 1], label="Task")
    another = mo.ui.button(value=0, on_click=lambda count: count + 1, label="Another story")
    mo.hstack([task, another], justify="start", gap=1, wrap=True)
    return another, loaded, task


@app.cell
def _(layouts, loaded, mo, pages, stories, task):
    if loaded:
        answerer = loaded
        _text = "The network is that of the checkpoint."
    else:
        with mo.status.spinner("Training a network on this task: a few seconds"):
            _trained = stories.network_for(task.value)
        answerer = _trained.answerer
        _text = (
            f"A MemN2N of {stories.RECIPE.hops} hops, trained here on {stories.QUESTIONS:,} "
            f"questions of this task in {_trained.seconds:.1f} s. It answers "
            f"{_trained.accuracy:.1%} of {stories.QUESTIONS:,} other questions."
        )
    pages.block(layouts.network_html(_text, answerer))
    return (answerer,)


@app.cell
def _(another, mo, stories, task):
    _drawn = stories.draw(task.value, another.value)
    story = mo.ui.text_area(
        value=_drawn.text,
        label="Story, a sentence per line",
        rows=min(12, _drawn.text.count("\n") + 3),
        debounce=300,
        full_width=True,
    )
    question = mo.ui.text(value=_drawn.question, label="Question", debounce=300, full_width=True)
    mo.vstack([story, question])
    return question, story


@app.cell
def _(InputError, answerer, layouts, pages, question, stories, story):
    try:
        _shown = pages.block(
            layouts.answer_html(stories.ask(answerer, story.value, question.value)), live=True
        )
    except InputError as _error:
        _shown = pages.problem(str(_error))
    _shown
    return


if __name__ == "__main__":
    app.run()
