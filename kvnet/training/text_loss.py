"""How well a language model foretells a text."""

from collections.abc import Iterator

from kvnet.backend import to_numpy
from kvnet.data import distinct
from kvnet.data.text import Text
from kvnet.models.memn2n_language_model import Context, MemN2NLanguageModel

TARGETS_AT_A_TIME = 128


def text_loss(model: MemN2NLanguageModel, text: Text) -> float:
    """Return the mean cross entropy of a word, each word that has a whole context counted once.

    Parameters
    ----------
    model : MemN2NLanguageModel
    text : Text

    Returns
    -------
    loss : float
        Natural logarithm: its exponential is the perplexity.
    """
    losses = model.xp.stack([model.loss(context) for context in _contexts(text)])
    return sum(to_numpy(losses).tolist()) / (len(text) - text.mem_size)


def _contexts(text) -> Iterator[Context]:
    """Give every word that has a whole context as a target once."""
    rows, B = text.xp.arange(text.mem_size, len(text)), TARGETS_AT_A_TIME
    full = rows[: len(rows) // B * B].reshape(-1, B)
    for first in range(0, len(full), distinct.TOGETHER):
        yield from text.batches(full[first : first + distinct.TOGETHER])
    if len(rows) % B:
        yield text.batch(rows[full.size :])
