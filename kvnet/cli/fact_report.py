"""The results of answering from a knowledge base: the table on the screen and the CSV file."""

import csv
import io
from statistics import fmean

from kvnet.cli.curves import Bar
from kvnet.cli.report import aligned, cell
from kvnet.data.task_data import SPLITS

MEASURES = {"hits1": "hits@1", "hits5": "hits@5", "f1": "F1"}


def score_table(records: list[dict], published: dict[str, float] | None = None) -> str:
    """Return the scores as a table: a row per type of question, per number of hops, and for all.

    Parameters
    ----------
    records : list of dict
        `Run.result` of each seed. With several seeds a cell is their mean ± their standard
        deviation.
    published : dict of str to float, optional
        Published hits@1 by number of hops; adds a column.

    Returns
    -------
    text : str
    """
    splits = [split for split in SPLITS if f"{split}_hits1" in records[0]]
    best = splits[0]
    header = ["Type", "Questions", *(f"{split.title()} hits@1" for split in splits)]
    header += [f"{best.title()} {MEASURES[measure]}" for measure in ("hits5", "f1")]
    rows = [header + ["Published KV-MemNN"] * bool(published)]
    for group in _groups(records[0], splits):
        counts = [_values(records, split, group, "questions") for split in splits]
        row = [group, f"{next((c[0] for c in counts if c), 0):,}"]
        row += [_cell(_values(records, split, group, "hits1")) for split in splits]
        row += [_cell(_values(records, best, group, measure)) for measure in ("hits5", "f1")]
        if published:
            row.append(f"{published[group]:.3f}" if group in published else "")
        rows.append(row)
    return aligned(rows)


def score_bars(records: list[dict], published: dict[str, float] | None = None) -> list[Bar]:
    """Return the rows of `score_table` for a picture: hits@1 on the first split that it has."""
    splits = [split for split in SPLITS if f"{split}_hits1" in records[0]]
    rows = []
    for group in _groups(records[0], splits):
        values = _values(records, splits[0], group, "hits1")
        if values:
            rows.append(Bar(group, values, (published or {}).get(group)))
    return rows


def csv_text(records: list[dict]) -> str:
    """Return the scores as CSV: a header and the rows of `score_table`, means over the seeds.

    Parameters
    ----------
    records : list of dict

    Returns
    -------
    text : str
    """
    splits = [split for split in SPLITS if f"{split}_hits1" in records[0]]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [(split, measure) for split in splits for measure in ("questions", *MEASURES)]
    names = {"questions": "questions"} | MEASURES
    writer.writerow(["Type", *(f"{split.title()} {names[measure]}" for split, measure in columns)])
    for group in _groups(records[0], splits):
        row = [_values(records, split, group, measure) for split, measure in columns]
        means = [
            (values[0] if len(set(values)) == 1 else fmean(values)) if values else ""
            for values in row
        ]
        writer.writerow([group, *means])
    return text.getvalue()


def _groups(record, splits):
    """Return the names of the rows: types, numbers of hops, all."""
    by = [record[f"{split}_by_{kind}"] for kind in ("type", "hops") for split in splits]
    groups = list(dict.fromkeys(group for groups in by for group in groups))
    return [group for group in groups if group != "all"] + ["all"]


def _values(records, split, group, measure):
    """Return a measure of a group, a value per seed; none if the split lacks the group."""
    groups = [record[f"{split}_by_type"] | record[f"{split}_by_hops"] for record in records]
    return [of_seed[group][measure] for of_seed in groups if group in of_seed]


def _cell(values):
    return cell(values) if values else "-"
