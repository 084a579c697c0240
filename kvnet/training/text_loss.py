"""The loss of a language model on a text."""

from collections.abc import Iterator

from kvnet.backend import to_numpy
from kvnet.data.batch import Context
from kvnet.data.text import Text
from kvnet.models.memn2n_language_model import MemN2NLanguageModel
from kvnet.renumber import BATCHES_TOGETHER

TARGETS_AT_A_TIME = 128


def text_loss(model: MemN2NLanguageModel, text: Text) -> float:
    """Return the mean cross entropy per word, over all words that have a complete context.

    Parameters
    ----------
    model : MemN2NLanguageModel
    text : Text

    Returns
    -------
    loss : float
        In nats: its exponential is the perplexity.
    """
    losses = model.xp.stack([model.loss(context) for context in _contexts(text)])
    return sum(to_numpy(losses).tolist()) / (len(text) - text.memory_size)


def _contexts(text) -> Iterator[Context]:
    """Yield every word that has a complete context once, as a target."""
    rows, B = text.xp.arange(text.memory_size, len(text)), TARGETS_AT_A_TIME
    full = rows[: len(rows) // B * B].reshape(-1, B)
    for first in range(0, len(full), BATCHES_TOGETHER):
        yield from text.batches(full[first : first + BATCHES_TOGETHER])
    if len(rows) % B:
        yield text.batch(rows[full.size :])
