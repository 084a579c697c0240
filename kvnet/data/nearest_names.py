"""The names most similar to one that is not known, for messages."""

from collections.abc import Sequence

from rapidfuzz import fuzz, process, utils

from kvnet.data.text_lines import MAX_NAME

LISTED = 3
LEAST_SIMILARITY = 60  # of 100


def nearest_names(name: str, names: Sequence[str]) -> list[str]:
    """Return up to three known names that are similar to a name, the most similar first.

    The similarity is rapidfuzz's ratio of equal characters, whatever the case.

    Parameters
    ----------
    name : str
    names : sequence of str

    Returns
    -------
    nearest : list of str
    """
    name = name[:MAX_NAME]
    if not utils.default_process(name):
        return []  # without letters and digits it would equal every such name
    found = process.extract(
        name,
        names,
        scorer=fuzz.ratio,
        processor=utils.default_process,
        limit=LISTED,
        score_cutoff=LEAST_SIMILARITY,
    )
    return [known for known, _, _ in found]


def nearest_text(name: str, names: Sequence[str]) -> str:
    """Return the end of a message about an unknown name: what it may have meant."""
    nearest = nearest_names(name, names)
    if not nearest:
        return "; use the name of an entity, as the base writes it"
    return f"; did you mean {' or '.join(map(repr, nearest))}?"
