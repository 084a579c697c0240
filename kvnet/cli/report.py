"""The results of a command: the table on the screen and the CSV file."""

import csv
import io
from collections.abc import Sequence
from statistics import fmean, stdev

from kvnet.cli.published import Published
from kvnet.data.babi_format import TASK_NAMES
from kvnet.data.task_data import SPLITS
from kvnet.training.text_run import perplexity_text


def accuracies(records: list[dict]) -> dict[int, dict[str, list[float]]]:
    """Gather the results of runs by task.

    Parameters
    ----------
    records : list of dict
        `Run.result` of every run; the same task may come from several seeds.

    Returns
    -------
    accuracy : dict
        ``accuracy[task][split]`` lists one number per seed.
    """
    accuracy = {}
    for record in records:
        for split in SPLITS:
            for task, share in record[f"{split}_accuracy_by_task"].items():
                row = accuracy.setdefault(int(task), {name: [] for name in SPLITS})
                row[split].append(share)
    return dict(sorted(accuracy.items()))


def accuracy_table(accuracy: dict[int, dict[str, list[float]]], published: Published | None) -> str:
    """Return the results as a table: one row per task, then the mean.

    Parameters
    ----------
    accuracy : dict
        From `accuracies`. With several seeds a cell is their mean ± their standard deviation.
    published : Published, optional
        Adds a column.

    Returns
    -------
    text : str
    """
    header = ["Task", *(f"{split.title()} Accuracy" for split in SPLITS)]
    if published:
        header.append(f"Published ({published.label})")
    rows = [header]
    for task, splits in accuracy.items():
        cells = [cell(splits[split]) for split in SPLITS]
        if published:
            cells.append(f"{published.accuracy[task]:.2f}")
        rows.append([f"{task} {TASK_NAMES[task]}", *cells])
    if len(accuracy) > 1:
        means = [cell(means_by_seed(accuracy, split)) for split in SPLITS]
        if published:
            means.append(f"{fmean(published.accuracy[task] for task in accuracy):.3f}")
        rows.append(["mean", *means])
    return aligned(rows)


def perplexity_table(
    measured: list[tuple[str, float]], published: Sequence[tuple[str, float | None, float]]
) -> str:
    """Return the results of a language model as a table, followed by the published ones.

    Parameters
    ----------
    measured : list of (str, float)
        The text and its perplexity.
    published : sequence of (str, float or None, float)
        Which model, validation and test perplexity.

    Returns
    -------
    text : str
    """
    text = aligned(
        [["", "Perplexity"], *([what, perplexity_text(value)] for what, value in measured)]
    )
    if not published:
        return text
    rows = [
        [model, "" if valid is None else f"{valid}", f"{test}"] for model, valid, test in published
    ]
    return f"{text}\n\n{aligned([['Published', 'Validation', 'Test'], *rows])}"


def aligned(rows: list[list[str]]) -> str:
    """Return a table as text: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def means_by_seed(accuracy: dict[int, dict[str, list[float]]], split: str) -> list[float]:
    """Return the mean accuracy over the tasks of each seed; `accuracy` is from `accuracies`."""
    return [fmean(seed) for seed in zip(*(row[split] for row in accuracy.values()), strict=True)]


def cell(shares: list[float]) -> str:
    """Return the mean of some shares, and their standard deviation if there are several."""
    deviation = f" ± {stdev(shares):.3f}" if len(shares) > 1 else ""
    return f"{fmean(shares):.3f}{deviation}"


def csv_text(accuracy: dict[int, dict[str, list[float]]]) -> str:
    """Return the results as CSV: a header and one row per task, means over the seeds.

    Parameters
    ----------
    accuracy : dict
        From `accuracies`.

    Returns
    -------
    text : str
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["Task", *(f"{split.title()} Accuracy" for split in SPLITS)])
    for task, splits in accuracy.items():
        writer.writerow([task, *(fmean(splits[split]) for split in SPLITS)])
    return text.getvalue()
