"""The picture of answered questions: how much each hop attended to each slot."""

import sys
import textwrap
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy

from kvnet.cli.curves import shortened_label
from kvnet.cli.picture import INK, LARGEST_HEIGHT, Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_QUESTIONS = 12
MOST_NUMBERED = 12  # hops whose weights are printed in their cells
LEAST_WIDTH = 5.5  # inches
DARK = 0.6  # weights above it are printed in white


class Attended(NamedTuple):
    """An answered question.

    Attributes
    ----------
    question, answer : str
    labels : list of str
        What was read: sentences or facts.
    weights : (N, H) float array
        The weight of each in each hop; NaN where it is unknown.
    """

    question: str
    answer: str
    labels: list[str]
    weights: numpy.ndarray


@dataclass
class AttentionPicture:
    """A picture of the last questions that were asked.

    Parameters
    ----------
    picture : Picture
    what : str
        What the rows are, for the axis.
    title : str
    """

    picture: Picture
    what: str
    title: str
    asked: list[Attended] = field(default_factory=list)
    count: int = 0

    def add(self, attended: Attended, at_once: bool) -> None:
        """Draw one more question; at once, or soon."""
        self.count += 1
        self.asked = [*self.asked, attended][-MOST_QUESTIONS:]
        self.picture.show(partial(self._figure, self.asked, self.count), at_once)

    def finish(self, code: int) -> int:
        """Draw what waits; return 2 if it could not be written, otherwise a given exit code."""
        self.picture.flush()
        if self.count > MOST_QUESTIONS:
            print(
                f"--plot: {self.picture.name} has the last {MOST_QUESTIONS} of {self.count} "
                "questions",
                file=sys.stderr,
            )
        return 2 if self.picture.failed else code

    def _figure(self, asked, count) -> "Figure":
        from matplotlib.figure import Figure

        hops = max(each.weights.shape[1] for each in asked)
        longest = max(len(shortened_label(label)) for each in asked for label in each.labels or "-")
        width = max(1.2 + 0.085 * longest + 0.7 * min(hops, MOST_NUMBERED), LEAST_WIDTH)
        first = count - len(asked) + 1
        texts = [
            textwrap.fill(f"{number}. {each.question}", int(11 * width))
            for number, each in enumerate(asked, start=first)
        ]
        heights = [
            0.9 + 0.18 * text.count("\n") + 0.27 * max(len(each.labels), 1)
            for text, each in zip(texts, asked, strict=True)
        ]
        height = min(1.3 + sum(heights), LARGEST_HEIGHT)
        figure = Figure(figsize=(width, height), layout="constrained")
        title = textwrap.wrap(self.title, int(11 * width))
        if first > 1:
            title.append(f"questions {first} to {count} of {count}")
        figure.suptitle("\n".join(title), fontsize=10)
        *parts, last = figure.subfigures(
            len(asked) + 1, 1, height_ratios=[*heights, 0.6], squeeze=False
        )[:, 0]
        for part, text, each in zip(parts, texts, asked, strict=True):
            image = _draw(part.subplots(), each, self.what)
            part.suptitle(f"{text}\n{each.answer}", fontsize=10, x=0.01, ha="left")
        bar = last.colorbar(
            image, cax=last.add_axes((0.3, 0.75, 0.4, 0.2)), orientation="horizontal"
        )
        bar.set_label("weight")
        bar.outline.set_visible(False)
        return figure


def _draw(axes, attended, what):
    """Draw the weights as cells, a row per label and a column per hop."""
    weights = attended.weights
    rows, hops = weights.shape
    image = axes.imshow(weights, aspect="auto", cmap="Blues", vmin=0, vmax=1)
    axes.grid(False)
    ticks = sorted({round((hops - 1) * i / (MOST_NUMBERED - 1)) for i in range(MOST_NUMBERED)})
    axes.set_xticks(ticks, [str(tick + 1) for tick in ticks])
    axes.set_yticks(range(rows), [shortened_label(label) for label in attended.labels])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("hop")
    axes.set_ylabel(what)
    if hops <= MOST_NUMBERED:
        for (row, hop), weight in numpy.ndenumerate(weights):
            if not numpy.isnan(weight):
                colour = "white" if weight > DARK else INK
                axes.text(
                    hop, row, f"{weight:.2f}", ha="center", va="center", color=colour, fontsize=9
                )
    return image
