# /// script
# [tool.marimo.display]
# theme = "system"
# [tool.marimo.runtime]
# on_cell_change = "autorun"
# ///
"""A network while it trains, and what it answers in between."""

import marimo

app = marimo.App(width="medium", app_title="Watch a training · kvnet laboratory")


@app.cell
def _():
    import marimo as mo

    from kvnet import InputError
    from kvnet.lab import layouts, pages, stories
    from kvnet.lab.watched_training import HOPS, NETWORKS, SIZES, WatchedTraining

    return HOPS, InputError, NETWORKS, SIZES, WatchedTraining, layouts, mo, pages, stories


@app.cell
def _(pages):
    pages.header(
        "training",
        "Start the training, pause it, and ask in between: the answer and the attention below are "
        "those of the network as far as it is trained. The same seed gives the same training.",
    )
    return


@app.cell
def _(HOPS, NETWORKS, SIZES, mo, stories):
    _names = stories.task_names()
    task = mo.ui.dropdown(_names, value=next(iter(_names)), label="Task")
    network = mo.ui.dropdown(NETWORKS, value=NETWORKS[0], label="Network")
    hops = mo.ui.dropdown({str(each): each for each in HOPS}, value="3", label="Hops")
    size = mo.ui.dropdown({str(each): each for each in SIZES}, value="20", label="Embedding size")
    seed = mo.ui.text(value="0", debounce=300, label="Seed")
    again = mo.ui.button(value=0, on_click=lambda count: count + 1, label="Start again")
    mo.hstack([task, network, hops, size, seed], justify="start", gap=1, wrap=True)
    return again, hops, network, seed, size, task


@app.cell
def _(InputError, WatchedTraining, again, hops, mo, network, pages, seed, size, task):
    again.value  # a new training each time that it is pressed
    try:
        training = WatchedTraining(task.value, network.value, hops.value, size.value, seed.value)
    except InputError as _error:
        mo.stop(True, pages.problem(str(_error)))
    return (training,)


@app.cell
def _(again, mo, training):
    training  # a new training waits until it is started
    running = mo.ui.switch(label="Train")
    mo.hstack([running, again], justify="start", gap=1, wrap=True)
    return (running,)


@app.cell
def _(mo):
    clock = mo.ui.refresh(default_interval=0.5)
    return (clock,)


@app.cell
def _(clock, mo, pages, running, training):
    clock.value  # while the switch is on, this cell runs at each of its ticks
    if not pages.is_served():
        training.advance()  # a notebook trains to the end
    elif running.value:
        training.advance(0.4)
    _curve = pages.figure(training.curve(), f"Loss and accuracy, {training.state_text()}")
    _ticking = [clock.style(display="none")] if running.value and not training.finished else []
    epoch = training.epoch
    _state = training.state_text() + (", training" if _ticking else ", paused")
    if training.finished:
        _state = training.state_text() + ", finished"
    mo.vstack([pages.block(f'<p class="state">{_state}</p>', _curve), *_ticking])
    return (epoch,)


@app.cell
def _(mo, stories, task):
    _drawn = stories.draw(task.value, 0)
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
def _(InputError, epoch, layouts, pages, question, stories, story, training):
    epoch  # asked again after each epoch
    try:
        _shown = pages.block(
            layouts.answer_html(stories.ask(training.answerer, story.value, question.value))
        )
    except InputError as _error:
        _shown = pages.problem(str(_error))
    _shown
    return


if __name__ == "__main__":
    app.run()
