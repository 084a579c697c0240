"""Drawings that several pages of the book share. Every page computes the numbers itself."""

import matplotlib.pyplot as plt
import numpy
from matplotlib.patches import Rectangle
from matplotlib_inline.backend_inline import set_matplotlib_formats

INK, BLUE, ORANGE, GREEN = "#222222", "#0072b2", "#d55e00", "#009e73"

plt.rcParams.update(
    {
        "figure.figsize": (7, 3.2),
        "figure.constrained_layout.use": True,
        "axes.prop_cycle": plt.cycler(color=[BLUE, ORANGE, GREEN, "#cc79a7", "#56b4e9", "#e69f00"]),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "font.size": 10,
        "svg.hashsalt": "kvnet",  # the same picture, the same file
    }
)
set_matplotlib_formats("svg")


def heat_map(axes, values, rows=None, columns=None, numbers="", diverging=False):
    """Draw a matrix as coloured cells.

    Parameters
    ----------
    axes : matplotlib Axes
    values : (N, K) float array
    rows, columns : sequence of str, optional
        Labels.
    numbers : str, optional
        Format of the number in each cell, such as ``".2f"``. By default no numbers are shown.
    diverging : bool, default=False
        Colours around zero. Otherwise white is zero and dark is the largest value.
    """
    values = numpy.asarray(values)
    largest = abs(values).max() or 1
    scale = {"cmap": "RdBu_r", "vmin": -largest} if diverging else {"cmap": "Blues", "vmin": 0}
    axes.imshow(values, aspect="auto", vmax=largest, **scale)
    axes.set_xticks(range(values.shape[1]), columns or [""] * values.shape[1])
    axes.set_yticks(range(values.shape[0]), rows or [""] * values.shape[0])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if numbers:
        for (row, column), value in numpy.ndenumerate(values):
            dark = abs(value) > 0.6 * largest
            axes.text(
                column,
                row,
                format(value, numbers),
                ha="center",
                va="center",
                color="white" if dark else INK,
                fontsize=9,
            )


def attention_figure(attention, texts, title=""):
    """Draw the weight of each slot in each hop, the slots in the order of `texts`.

    Parameters
    ----------
    attention : (H, M) float array
    texts : sequence of M str
    title : str, optional

    Returns
    -------
    figure : matplotlib Figure
    """
    attention = numpy.asarray(attention)
    figure, axes = plt.subplots(figsize=(6.5, 0.9 + 0.34 * len(texts)))
    hops = [f"hop {hop}" for hop in range(1, len(attention) + 1)]
    heat_map(axes, attention.T, list(texts), hops, numbers=".2f")
    axes.xaxis.tick_top()
    if title:
        axes.set_title(title)
    return figure


def shapes_figure(columns, sizes):
    """Draw arrays as rectangles with the sides of their shapes, from left to right.

    Parameters
    ----------
    columns : list of list of (name, rows, columns, colour)
        Each inner list is drawn as a column, from top to bottom. `rows` and `columns` are names of
        sizes, such as ``"M"``, or ``"1"``.
    sizes : dict of str to int

    Returns
    -------
    figure : matplotlib Figure
    """
    figure, axes = plt.subplots(figsize=(10, 3.6))
    sizes, x, bottom = sizes | {"1": 1}, 0.0, 0.0
    for column in columns:
        y, widest = 0.0, 0.0
        for name, rows, across, colour in column:
            height, width = sizes[rows], sizes[across]
            axes.add_patch(Rectangle((x, y - height), width, height, fc=colour, ec=INK, alpha=0.75))
            for line in range(1, height):
                axes.plot([x, x + width], [y - line] * 2, color="white", linewidth=0.8)
            for line in range(1, width):
                axes.plot([x + line] * 2, [y - height, y], color="white", linewidth=0.8)
            axes.text(x, y + 0.25, f"{name}  {rows} × {across}", fontsize=9, color=INK)
            y -= height + 1.9
            widest = max(widest, width, 0.62 * len(f"{name}  {rows} × {across}"))
        x += widest + 1.5
        bottom = min(bottom, y)
    axes.set_xlim(-0.5, x)
    axes.set_ylim(bottom + 1, 1.8)
    axes.set_aspect("equal")
    axes.axis("off")
    return figure
