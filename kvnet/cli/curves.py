"""The picture of a training: curves over the epochs, and below them the results."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from math import isfinite, nan
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from kvnet.cli.picture import BLUE, COLOURS, INK, LARGEST_HEIGHT, ORANGE, Picture
from kvnet.cli.report import cell
from kvnet.cli.run_names import RunNames
from kvnet.hyper_parameter import flag_of
from kvnet.training.recipes.recipe import Recipe
from kvnet.training.text_run import perplexity_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D", "v", "P")
MOST_MARKED = 60  # evaluations of a curve with a marker each
LOGARITHMIC_FROM = 20  # the ratio of the largest to the smallest value
MAIN_SETTINGS = (
    *("reader", "hops", "embedding_size", "memory_size", "batch_size", "optimizer"),
    *("learning_rate", "epochs"),
)
SPLIT_COLOURS = {"training": ORANGE, "validation": BLUE}
SPLIT_MARKERS = {"training": "s", "validation": "o"}


class Panel(NamedTuple):
    """What a panel of curves shows.

    Attributes
    ----------
    label : str
        Of the vertical axis.
    curves : dict of str to callable
        ``"training"`` or ``"validation"``, to a function that returns the value in a record, or
        None.
    is_share : bool
        Whether values are between 0 and 1.
    published : sequence of (str, float)
        Horizontal lines.
    """

    label: str
    curves: dict[str, Callable[[dict], float | None]]
    is_share: bool = False
    published: Sequence[tuple[str, float]] = ()


class Results(NamedTuple):
    """What the panel of the results shows.

    Attributes
    ----------
    rows : int
        The number of rows, which sets its height.
    draw : callable
        Draws it on its axes.
    """

    rows: int
    draw: Callable[["Axes"], None]


@dataclass
class TrainingPicture:
    """A picture that grows with the records of a training.

    Parameters
    ----------
    picture : Picture
    title, settings : str
        Shown above the panels.
    panels : sequence of Panel
    names : RunNames
    """

    picture: Picture
    title: str
    settings: str
    panels: Sequence[Panel]
    names: RunNames

    def update(self, records: list[dict]) -> None:
        """Draw the evaluations so far, now or later."""
        self.picture.show(partial(self._figure, records))

    def finish(self, records: list[dict], reported: list[dict], results: Results) -> None:
        """Draw all evaluations and the results.

        Parameters
        ----------
        records : list of dict
            All evaluations.
        reported : list of dict
            The evaluations that the results are from.
        results : Results
        """
        self.picture.show(partial(self._figure, records, reported, results), at_once=True)

    def _figure(self, records, reported=(), results=None) -> "Figure":
        from matplotlib.figure import Figure

        heights = [3.4] + ([1.0 + 0.26 * results.rows] if results else [])
        height = min(0.8 + sum(heights), LARGEST_HEIGHT)
        figure = Figure(figsize=(10, height), layout="constrained")
        text = f"{self.title}\n" + "\n".join(textwrap.wrap(self.settings, 110))
        figure.suptitle(text, fontsize=11)
        grid = figure.add_gridspec(len(heights), len(self.panels), height_ratios=heights)
        all_axes = [figure.add_subplot(grid[0, i]) for i in range(len(self.panels))]
        runs = self.names.by_run(records)
        chosen = {self.names.name(record) for record in reported}
        for axes, panel in zip(all_axes, self.panels, strict=True):
            _draw_panel(axes, panel, runs, chosen, reported, self.names)
        _add_legends(all_axes, self.panels, runs, chosen if self.names.starts else ())
        if results:
            results.draw(figure.add_subplot(grid[1, :]))
        return figure


def settings_text(recipe: Recipe, *before: str) -> str:
    """Return the main hyper-parameters of a recipe in one line, after other settings."""
    specs = {spec.name: spec for spec in fields(recipe)}
    texts = list(before)
    for name in MAIN_SETTINGS:
        if name in specs:
            value = getattr(recipe, name)
            text = f"{value:g}" if isinstance(value, float) else f"{value}"
            texts.append(f"{flag_of(specs[name]).replace('-', ' ')} {text}")
    return ", ".join(texts)


def seeds_text(seeds: list[int], starts: int) -> str:
    """Return the seeds, and the number of starts if there are several, for `settings_text`."""
    text = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
    return text if starts == 1 else f"{text}, {starts} starts"


def _draw_panel(axes, panel, runs, chosen, reported, names):
    from matplotlib.ticker import MaxNLocator

    smallest, largest = float("inf"), 0.0
    for index, (run, records) in enumerate(runs.items()):
        for split, value_of in panel.curves.items():
            found = [(record["epoch"], value_of(record)) for record in records]
            points = [(epoch, value) for epoch, value in found if value is not None]
            if not points:
                continue
            epochs, values = zip(*points, strict=True)
            values = [value if isfinite(value) else nan for value in values]
            finite = [value for value in values if isfinite(value)]
            smallest, largest = min([smallest, *finite]), max([largest, *finite])
            style = _style_of(index, len(runs), split, len(panel.curves), len(points))
            if chosen and run not in chosen:
                style |= {"alpha": 0.25}
            (line,) = axes.plot(epochs, values, **style)
            line.set_gid(" ".join(filter(None, [split, panel.label, run])).replace(" ", "-"))
    split = list(panel.curves)[-1]
    for record in reported:
        last = runs[names.name(record)][-1]
        value = panel.curves[split](record)
        if record["epoch"] != last["epoch"] and value is not None:  # early stopping
            axes.plot(record["epoch"], value, "o", mfc="none", mec=INK, ms=11, mew=1.5)
    for number, (label, value) in enumerate(panel.published):
        axes.axhline(value, color=INK, linewidth=1, linestyle=(":", "-.")[number % 2], label=label)
    axes.set_xlabel("epoch")
    axes.set_ylabel(panel.label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if panel.is_share:
        axes.set_ylim(-0.02, 1.02)
    elif 0 < LOGARITHMIC_FROM * smallest < largest:
        axes.set_yscale("log")


def _style_of(index, runs, split, splits, points):
    """Return how a curve is drawn: several runs differ in colour, splits in dashes."""
    dashed = splits > 1 and split == "training"
    style = {"linestyle": (0, (4, 2)) if dashed else "-", "linewidth": 1.5, "markersize": 4}
    if runs == 1:
        style |= {"color": SPLIT_COLOURS[split], "marker": SPLIT_MARKERS[split]}
    elif runs <= len(COLOURS):
        style |= {"color": COLOURS[index], "marker": MARKERS[index]}
    else:
        style |= {"color": _colour_map()(index / (runs - 1)), "marker": "o", "linewidth": 1}
        style |= {"markersize": 2.5}
    return style if points <= MOST_MARKED else style | {"marker": "" if points > 1 else "o"}


def _colour_map():
    """Return colours whose lightness grows, so that they differ in greyscale too."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps["viridis"].resampled(256).colors[:230])


def _add_legends(all_axes, panels, runs, chosen):
    """Name the runs in the first panel, and what the curves are in the last one."""
    from matplotlib.lines import Line2D

    of_runs, many = [], len(runs) > len(COLOURS)
    if 1 < len(runs) <= len(COLOURS):
        for index, run in enumerate(runs):
            name = f"{run} (chosen)" if run in chosen else run
            of_runs.append(Line2D([], [], color=COLOURS[index], marker=MARKERS[index], label=name))
    splits = [split for split, value_of in panels[-1].curves.items() if _occurs(runs, value_of)]
    of_splits = []
    for split in splits:
        style = _style_of(0, len(runs), split, len(panels[-1].curves), 1)
        if len(runs) > 1:
            style |= {"color": INK, "marker": ""}
        of_splits.append(Line2D([], [], label=split, **style))
    of_splits += all_axes[-1].get_legend_handles_labels()[0][-len(panels[-1].published) or 99 :]
    place = "lower right" if panels[-1].is_share else "upper right"
    if len(panels) == 1:
        all_axes[0].legend(handles=of_runs + of_splits, loc=place)
    else:
        all_axes[-1].legend(handles=of_splits, loc=place)
        if of_runs:
            all_axes[0].legend(handles=of_runs, loc="upper right")
    if many:
        _add_colour_bar(all_axes, list(runs))


def _occurs(runs, value_of):
    return any(value_of(record) is not None for records in runs.values() for record in records)


def _add_colour_bar(all_axes, names):
    """Show the colours of many runs, with the names of some."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    last = len(names) - 1
    scale = ScalarMappable(Normalize(0, last), _colour_map())
    bar = all_axes[0].figure.colorbar(scale, ax=all_axes, pad=0.01, fraction=0.03)
    ticks = sorted({round(last * i / 5) for i in range(6)})
    bar.set_ticks(ticks, labels=[names[tick] for tick in ticks])
    bar.outline.set_visible(False)


class Bar(NamedTuple):
    """A row of `bars`: its name, a value per seed, and the published value or None."""

    name: str
    values: list[float]
    published: float | None


def bars(rows: list[Bar], label: str, published: str | None) -> Results:
    """Return a panel with a bar per row, and a mark where the published value is.

    Parameters
    ----------
    rows : list of Bar
        Values are shares.
    label : str
        Of the horizontal axis.
    published : str or None
        What the published values are.

    Returns
    -------
    results : Results
    """

    def draw(axes):
        means = [fmean(row.values) for row in rows]
        places = range(len(rows))
        several = any(len(row.values) > 1 for row in rows)
        spread = [stdev(row.values) if len(row.values) > 1 else 0 for row in rows]
        axes.barh(
            places, means, height=0.62, color="#8fbcdb", edgecolor=BLUE, label="this training",
            xerr=spread if several else None, error_kw={"ecolor": INK, "capsize": 2},
        )  # fmt: skip
        marked = [(row.published, place) for place, row in enumerate(rows) if row.published]
        if marked:
            style = {"marker": "D", "markersize": 6, "color": ORANGE, "markeredgecolor": INK}
            axes.plot(*zip(*marked, strict=True), linestyle="", label=published, **style)
        for place, row in enumerate(rows):
            axes.text(1.03, place, cell(row.values), va="center", fontsize=9, color=INK)
        axes.set_yticks(places, [shortened_label(row.name) for row in rows])
        axes.set_xlim(0, 1.02)
        axes.set_xlabel(label)
        _finish_rows(axes, len(rows), outside=bool(marked or several))

    return Results(len(rows), draw)


class Perplexities(NamedTuple):
    """A row of `perplexities`: the model's name, validation and test perplexity, whether ours."""

    name: str
    validation: float | None
    test: float
    ours: bool


def perplexities(rows: list[Perplexities]) -> Results:
    """Return a panel with the perplexity of the validation and the test text per model."""

    def draw(axes):
        for name, marker, colour in (("validation", "o", BLUE), ("test", "s", ORANGE)):
            values = [getattr(row, name) for row in rows]
            values = [nan if value is None or not isfinite(value) else value for value in values]
            axes.plot(
                values, range(len(rows)), linestyle="", marker=marker, color=colour, markersize=7,
                markeredgecolor=INK, label=f"{name} text",
            )  # fmt: skip
        for place, row in enumerate(rows):
            known = [value for value in (row.validation, row.test) if value is not None]
            text = " / ".join(map(perplexity_text, known))
            axes.text(
                1.01, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9
            )
        labels = axes.set_yticks(range(len(rows)), [row.name for row in rows])
        for tick, row in zip(labels, rows, strict=True):
            tick.label1.set_fontweight("bold" if row.ours else "normal")
        axes.set_xlabel("perplexity (lower is better)")
        axes.margins(x=0.08)
        _finish_rows(axes, len(rows), outside=True)

    return Results(len(rows), draw)


def _finish_rows(axes, rows, outside):
    """Put the first row on top, without lines between rows, and a legend above them."""
    axes.set_ylim(rows - 0.4, -0.6)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)
    if outside:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderpad=0)


def shortened_label(text: str, length: int = 72) -> str:
    """Return a text with its middle left out if it is longer than a label should be."""
    half = (length - 3) // 2
    return text if len(text) <= length else f"{text[:half]}...{text[-half:]}"
