# /// script
# [tool.marimo.display]
# theme = "system"
# [tool.marimo.runtime]
# on_cell_change = "autorun"
# ///
"""An operation, whose backward pass can be changed, and the verdict of the gradient checker."""

import marimo

app = marimo.App(width="medium", app_title="Prove a gradient · kvnet laboratory")


@app.cell
def _():
    import marimo as mo

    from kvnet.lab import edited_operation, layouts, pages

    return edited_operation, layouts, mo, pages


@app.cell
def _(pages):
    pages.header(
        "operation",
        "An operation is a function that computes its output and returns its own backward pass. "
        "Change a sign, a factor or an axis in <code>backward</code>: the gradient checker then "
        "compares every entry of every gradient with the derivative, and names the worst entry "
        "that is wrong. The code runs on this computer only, in a process of its own with a time "
        "limit.",
    )
    return


@app.cell
def _(edited_operation, mo):
    operation = mo.ui.dropdown(edited_operation.names(), value="address", label="Operation")
    restore = mo.ui.button(
        value=0, on_click=lambda count: count + 1, label="Put the original code back"
    )
    mo.hstack([operation, restore], justify="start", gap=1, wrap=True)
    return operation, restore


@app.cell
def _(edited_operation, layouts, operation, pages):
    _name = operation.value
    pages.block(
        f"<h2>Formula and shapes, from <code>{edited_operation.file_of(_name)}</code></h2>",
        layouts.formula_html(_name),
    )
    return


@app.cell
def _(edited_operation, mo, operation, restore):
    restore.value  # the original code, each time that it is pressed
    _code = edited_operation.source_of(operation.value)
    code = mo.ui.text_area(
        value=_code,
        label="Code of the operation, forward and backward",
        rows=_code.count("\n") + 2,
        debounce=500,
        full_width=True,
    )
    code
    return (code,)


@app.cell
def _(code, edited_operation, layouts, mo, operation, pages):
    with mo.status.spinner("Checking every gradient"):
        _verdict = edited_operation.judge(operation.value, code.value)
    pages.block(layouts.verdict_html(_verdict), live=True)
    return


if __name__ == "__main__":
    app.run()
