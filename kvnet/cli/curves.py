"""The picture of a training: curves over the epochs, and below them the results."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from math import isfinite, nan
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from kvnet.cli.picture import BLUE, COLOURS, INK, LARGEST_HEIGHT, ORANGE, Picture
from kvnet.cli.report import cell
from kvnet.cli.run_names import RunNames
from kvnet.hyper_parameter import flag_of
from kvnet.models.network import Network
from kvnet.training.recipes.recipe import Recipe
from kvnet.training.text_run import perplexity_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL_COLUMNS = 5
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
    small : dict of str to Panel, optional
        Further panels, small ones, with their titles.
    """

    picture: Picture
    title: str
    settings: str
    panels: Sequence[Panel]
    names: RunNames
    small: dict[str, Panel] = field(default_factory=dict)

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

        small_rows = -(-len(self.small) // SMALL_COLUMNS)
        heights = [3.6] + [0.7 + 1.3 * small_rows] * bool(small_rows)
        widths, of_results = [10], 1.0 + 0.26 * results.rows if results else 0
        if results and small_rows:  # to the right, otherwise below
            widths, heights[-1] = [10, 6.5], max(heights[-1], of_results - heights[0])
        elif results:
            heights.append(of_results)
        settings = textwrap.wrap(self.settings, 14 * sum(widths))
        height = min(0.5 + 0.2 * len(settings) + sum(heights), LARGEST_HEIGHT)
        figure = Figure(figsize=(sum(widths), height), layout="constrained")
        figure.suptitle("\n".join([self.title, *settings]), fontsize=10)
        columns = figure.subfigures(1, len(widths), width_ratios=widths, squeeze=False)[0]
        parts = columns[0].subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        runs = _Runs(self.names, records, reported)
        _draw_panels(parts[0], self.panels, runs)
        if small_rows:
            _draw_small_panels(parts[1], self.small, runs)
        if results:
            results.draw((columns if small_rows else parts)[-1].subplots())
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


def model_text(model: Network, recipe: Recipe) -> str:
    """Return a model and its main hyper-parameters in one line."""
    return f"{type(model).__name__}: {settings_text(recipe)}"


def seeds_text(seeds: list[int], starts: int) -> str:
    """Return the seeds, and the number of starts if there are several, for `settings_text`."""
    text = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
    return text if starts == 1 else f"{text}, {starts} starts"


class _Runs:
    """The records of each run, and which of them the results are from."""

    def __init__(self, names, records, reported):
        self.records = names.by_run(records)
        self.reported = {names.name(record): record for record in reported}
        self.names = names

    def with_values(self, panel) -> list[str]:
        """Return the names of the runs that have a curve in a panel."""
        return [
            name
            for name, records in self.records.items()
            if any(value_of(records[-1]) is not None for value_of in panel.curves.values())
        ]

    def label(self, name) -> str:
        """Return the name of a run for the legend."""
        return f"{name} (chosen)" if self.names.starts and name in self.reported else name


def _draw_panels(part, panels, runs):
    """Draw panels in a row. The first names the runs, the last one says what the curves are."""
    all_axes = part.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel in zip(all_axes, panels, strict=True):
        _draw_panel(axes, panel, runs)
        axes.set_xlabel("epoch")
        axes.set_ylabel(panel.label)
    names, last = list(runs.records), panels[-1]
    of_runs = _run_handles([runs.label(name) for name in names]) or _chosen_handles(runs)
    of_curves = _curve_handles(last, runs) + all_axes[-1].get_legend_handles_labels()[0]
    place = "lower right" if last.is_share else "upper right"
    if len(panels) == 1:
        if len(of_runs + of_curves) > 1:
            all_axes[0].legend(handles=of_runs + of_curves, loc=place)
    else:
        all_axes[-1].legend(handles=of_curves, loc=place)
        if of_runs:
            all_axes[0].legend(handles=of_runs, loc="upper right")
    if len(names) > len(COLOURS):
        _add_colour_bar(part, all_axes, names)


def _draw_small_panels(part, panels, runs):
    """Draw panels in a grid, with one legend above it."""
    rows = -(-len(panels) // SMALL_COLUMNS)
    grid = part.subplots(rows, SMALL_COLUMNS, sharex=True, sharey=True, squeeze=False)
    for axes, (title, panel) in zip(grid.flat, panels.items(), strict=False):
        _draw_panel(axes, panel, runs, small=True)
        axes.set_title(title, fontsize=8)
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    panel = max(panels.values(), key=lambda panel: len(runs.with_values(panel)))
    handles = _curve_handles(panel, runs) + grid.flat[0].get_legend_handles_labels()[0]
    if runs.names.tasks:  # the large panels name the runs, of which each panel here has a few
        names = runs.with_values(panel)
        handles += _run_handles([runs.names.name_in_task(runs.records[name][0]) for name in names])
    part.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
    part.supxlabel("epoch", fontsize=10)
    part.supylabel(panel.label, fontsize=10)


def _draw_panel(axes, panel, runs, small=False):
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    names, found, epochs_found, ringed = runs.with_values(panel), [], set(), False
    for index, name in enumerate(names):
        for split, value_of in panel.curves.items():
            points = [(record["epoch"], value_of(record)) for record in runs.records[name]]
            points = [point for point in points if point[1] is not None]
            if not points:
                continue
            epochs, values = zip(*points, strict=True)
            found += filter(isfinite, values)
            epochs_found.update(epochs)
            style = _style_of(index, len(names), split, len(panel.curves))
            style |= {"marker": ""} if len(points) > MOST_MARKED else {}
            style |= {"linewidth": 1, "markersize": 2} if small else {}
            style |= {"alpha": 0.25} if runs.reported and name not in runs.reported else {}
            (line,) = axes.plot(epochs, [v if isfinite(v) else nan for v in values], **style)
            line.set_gid(" ".join(filter(None, [split, panel.label, name])).replace(" ", "-"))
        record = runs.reported.get(name)
        if record and record["epoch"] != runs.records[name][-1]["epoch"]:  # early stopping
            value = list(panel.curves.values())[-1](record)
            if value is not None:
                style = {"label": None if ringed else "reported", "markersize": 6 if small else 11}
                axes.plot(record["epoch"], value, "o", mfc="none", mec=INK, **style)
                ringed = True
    for number, (label, value) in enumerate(panel.published):
        axes.axhline(value, color=INK, linewidth=1, linestyle=(":", "-.")[number % 2], label=label)
    low, high = (limit(epochs_found, default=1) for limit in (min, max))
    if low == high:
        axes.set_xlim(low - 1, high + 1)
    locator = MaxNLocator(nbins=4 if small else 8, integer=True, min_n_ticks=1)
    axes.xaxis.set_major_locator(locator)
    if panel.is_share:
        axes.set_ylim(-0.02, 1.02)
    elif found and 0 < LOGARITHMIC_FROM * min(found) < max(found):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())


def _style_of(index, runs, split, splits):
    """Return how a curve is drawn: several runs differ in colour, splits in dashes."""
    dashed = splits > 1 and split == "training"
    style = {"linestyle": (0, (4, 2)) if dashed else "-", "linewidth": 1.5, "markersize": 4}
    if runs == 1:
        return style | {"color": SPLIT_COLOURS[split], "marker": SPLIT_MARKERS[split]}
    if runs <= len(COLOURS):
        return style | {"color": COLOURS[index], "marker": MARKERS[index]}
    colour = _colour_map()(index / (runs - 1))
    style |= {"color": colour, "linewidth": 1, "marker": "o", "markersize": 1.5}
    return style | {"alpha": 0.4} if dashed else style


def _colour_map():
    """Return colours whose lightness grows, so that they differ in greyscale too."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps["viridis"].resampled(256).colors[:230])


def _run_handles(names):
    """Return the entries of a legend that names runs; none if they are one or many."""
    from matplotlib.lines import Line2D

    if not 1 < len(names) <= len(COLOURS):
        return []
    return [
        Line2D([], [], color=colour, marker=marker, markersize=4, label=name)
        for name, colour, marker in zip(names, COLOURS, MARKERS, strict=False)
    ]


def _chosen_handles(runs):
    """Return the entries of a legend that names the chosen starts of many runs; none if many."""
    from matplotlib.lines import Line2D

    if not runs.names.starts or len(runs.reported) > len(COLOURS):
        return []
    names, colours = list(runs.records), _colour_map()
    return [
        Line2D([], [], color=colours(names.index(name) / (len(names) - 1)), label=runs.label(name))
        for name in runs.reported
        if len(names) > len(COLOURS)
    ]


def _curve_handles(panel, runs):
    """Return the entries of a legend that says what the curves of a panel are."""
    from matplotlib.lines import Line2D

    names, handles = runs.with_values(panel), []
    for split, value_of in panel.curves.items():
        if any(value_of(runs.records[name][-1]) is not None for name in names):
            style = _style_of(0, len(names), split, len(panel.curves))
            style |= {"color": INK, "marker": "", "alpha": 1} if len(names) > 1 else {}
            handles.append(Line2D([], [], label=split, **style))
    return handles


def _add_colour_bar(part, all_axes, names):
    """Show the colours of many runs, with the names of some."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    last = len(names) - 1
    scale = ScalarMappable(Normalize(0, last), _colour_map())
    bar = part.colorbar(scale, ax=list(all_axes), pad=0.01, fraction=0.03)
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
        handles, labels = axes.get_legend_handles_labels()
        order = sorted(range(len(labels)), key=lambda i: labels[i].startswith("published"))
        handles = [handles[i] for i in order]  # Matplotlib lists lines before bars
        axes.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=3,
            frameon=False,
            borderpad=0,
        )


def shortened_label(text: str, length: int = 72) -> str:
    """Return a text with its middle left out if it is longer than a label should be."""
    half = (length - 3) // 2
    return text if len(text) <= length else f"{text[:half]}...{text[-half:]}"
